"""Cloning, hoisting, inlining and erasing what stands in the regions of statements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xdsl.dialects.builtin import IndexType
from xdsl.ir import Block, Operation, SSAValue
from xdsl.rewriter import Rewriter

from hetc.dialects.mp import DimSizeOp, RangedOp, ReadOp, ReadStoredOp, ReduceOp
from hetc.passes.emission import confined, earlier_equal, emit, leaves, set_present, union


def mentions(value: SSAValue, argument: SSAValue) -> bool:
    """Whether `value` is an expression of the index `argument`."""
    return argument in arguments_of(value)


def arguments_of(value: SSAValue) -> set[SSAValue]:
    """The indices that `value` is an expression of, apart from those of reductions inside of it."""
    seen: set[Operation] = set()
    found: set[SSAValue] = set()
    pending = [value]
    while pending:
        current = pending.pop()
        owner = current.owner
        if isinstance(owner, Block):
            if isinstance(current.type, IndexType):  # a tensor may be one that a loop carries
                found.add(current)
        elif owner not in seen and isinstance(owner.parent_op(), RangedOp | ReduceOp):  # not the tensors that it reads
            seen.add(owner)
            for nested in owner.walk():
                pending.extend(nested.operands)
    inner = {argument for op in seen for nested in op.walk() for r in nested.regions for argument in r.block.args}
    return found - inner


def hoist(value: SSAValue, out_of: ReduceOp, renamed: dict[SSAValue, SSAValue]) -> None:
    """Move the definition of `value`, and what it needs, out of the region of `out_of`, whose index it must not
    mention. What is there already is used instead: `renamed` then gets the values that took the place of others."""
    value = renamed.get(value, value)
    owner = value.owner
    if isinstance(owner, Block) or owner.parent is not out_of.body.block:
        return
    for nested in list(owner.walk()):
        for operand in tuple(nested.operands):
            hoist(operand, out_of, renamed)
    block = out_of.parent
    assert block is not None
    owner.detach()
    block.insert_op_before(owner, out_of)
    twin = earlier_equal(owner)
    if twin is not None:
        replace(owner, twin, renamed)


def contains_reduction(value: SSAValue) -> bool:
    """Whether computing `value` needs a reduction."""
    owner = value.owner
    if isinstance(owner, Block) or not isinstance(owner.parent_op(), RangedOp | ReduceOp):
        return False
    return isinstance(owner, ReduceOp) or any(contains_reduction(operand) for operand in owner.operands)


@dataclass(frozen=True)
class Confinement:
    """The conditions under which some indices are in range: all of them, and those of each index that is not in range
    in any case. What is computed at these indices may dereference only where the conditions hold."""

    conditions: tuple[SSAValue, ...] = ()
    of_index: Mapping[SSAValue, tuple[SSAValue, ...]] = field(default_factory=dict)

    def row(self, value: SSAValue, before: Operation) -> SSAValue:
        """`value`, for use as the row whose length is asked for: 0 where it may be out of range."""
        return confined(value, self.of_index.get(value, self.conditions), before)


def clone_expression(
    value: SSAValue, mapping: dict[SSAValue, SSAValue], before: Operation, bounds: Confinement = Confinement()
) -> SSAValue:
    """Clone what `value` is computed from, up to the keys of `mapping` (indices, usually) and to what stands
    outside of any region. Reads are guarded, and rows confined, by the `bounds` of the indices that they mention."""
    if value in mapping:
        return mapping[value]
    owner = value.owner
    if isinstance(owner, Block) or not isinstance(owner.parent_op(), RangedOp | ReduceOp):
        return value
    for operand in dict.fromkeys(operand for nested in owner.walk() for operand in nested.operands):
        if not _defined_inside(operand, owner):
            mapping[operand] = clone_expression(operand, mapping, before, bounds)
    copied = owner.clone(value_mapper=dict(mapping))
    for source, target in zip(owner.walk(), copied.walk(), strict=True):
        target.location = source.location
    # The conditions of other indices stay out of it: a reduction over one would take it for a condition of its own.
    mentioned = arguments_of(value)
    reached = union(*(bounds.of_index.get(mapping[key], ()) for key in list(mapping) if key in mentioned))
    position = owner.results.index(value)  # type: ignore[arg-type]
    if len(copied.results) == 1 and not copied.regions:
        if reached:
            _confine(copied, reached, bounds, before)
        mapping[value] = emit(copied, before)
        return mapping[value]
    block = before.parent
    assert block is not None
    block.insert_op_before(copied, before)
    if reached:
        _confine(copied, reached, bounds, before)
    mapping.update(zip(owner.results, copied.results, strict=True))
    return copied.results[position]


def _defined_inside(value: SSAValue, op: Operation) -> bool:
    current: Operation | None = value.owner if isinstance(value.owner, Operation) else value.owner.parent_op()
    while current is not None:
        if current is op:
            return value.owner is not op
        current = current.parent_op()
    return False


def _confine(copied: Operation, conditions: tuple[SSAValue, ...], bounds: Confinement, before: Operation) -> None:
    for op in copied.walk():
        # What stands in a copied reduction may depend on its index: it is confined where it stands.
        place = before if op.parent is None else op
        if isinstance(op, ReadOp | ReadStoredOp):
            set_present(op, union(conditions, leaves(op.present)), place)
        elif isinstance(op, DimSizeOp | ReduceOp) and op.per is not None:
            op.operands[0] = bounds.row(op.per, place)


def inline_region(source: Block, mapping: Mapping[SSAValue, SSAValue], target: Block) -> dict[SSAValue, SSAValue]:
    """Clone the ops of `source`, its terminator aside, to the end of `target`, values replaced as `mapping` says.
    Returns the whole map from old to new values."""
    values = dict(mapping)
    for op in source.ops:
        if op is source.last_op:
            break
        copied = op.clone(value_mapper=values)
        for original, made in zip(op.walk(), copied.walk(), strict=True):
            made.location = original.location
        target.add_op(copied)
        values.update(zip(op.results, copied.results, strict=True))
    return values


def merge_equal(block: Block) -> dict[SSAValue, SSAValue]:
    """Keep one of several equal ops of `block`, and of the reductions in it. Returns what took the place of what."""
    renamed: dict[SSAValue, SSAValue] = {}
    for op in list(block.ops):
        if isinstance(op, ReduceOp):
            renamed.update(merge_equal(op.body.block))
        twin = earlier_equal(op) if op.results else None
        if twin is not None:
            replace(op, twin, renamed)
    return renamed


def replace(op: Operation, twin: Operation, renamed: dict[SSAValue, SSAValue]) -> None:
    """Use the results of `twin` for those of `op`, which is erased; note it in `renamed`."""
    for result, same in zip(op.results, twin.results, strict=True):
        renamed[result] = same
        result.replace_all_uses_with(same)
    Rewriter.erase_op(op)


def erase_unused(block: Block) -> None:
    """Erase the ops of `block`, and of the reductions in it, whose results nobody uses."""
    for op in reversed(list(block.ops)):
        if op is block.last_op:
            continue
        if not any(result.uses for result in op.results):
            Rewriter.erase_op(op)
        elif isinstance(op, ReduceOp):
            erase_unused(op.body.block)
