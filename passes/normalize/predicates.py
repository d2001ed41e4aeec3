"""The conditions under which the elements of a step's tensors are present, and their cloning into consumers."""

from __future__ import annotations

from xdsl.dialects import arith
from xdsl.dialects.builtin import i1
from xdsl.ir import Operation, Region, SSAValue
from xdsl.rewriter import Rewriter

from hetc.dialects.locations import copy_location
from hetc.dialects.mp import (
    ComputeOp,
    ModOp,
    QuantizeOp,
    RangeAttr,
    RangedOp,
    ReadOp,
    RopeOp,
    SelectOp,
    TensorType,
    TopkOp,
    YieldOp,
    index_block,
)
from hetc.passes.emission import conjunction, constant, emit, index
from hetc.passes.rebuild import Confinement, arguments_of, clone_expression, contains_reduction, erase_unused

Depends = dict[SSAValue, frozenset[SSAValue]]
"""Conditions, each with the indices that it depends on."""


class Predicates:
    """Maps each statement whose elements may be absent to its conditions, which stand in its region; those of indices
    that are -1 exactly where they are absent need none."""

    def __init__(self) -> None:
        self._conditions: dict[Operation, Depends] = {}
        self._indices: set[SSAValue] = set()

    def note(self, statement: RangedOp, conditions: Depends) -> None:
        """Remember the conditions of a statement's elements, with those of its indices that each depends on."""
        if conditions:
            self._conditions[statement] = conditions

    def note_indices(self, tensor: SSAValue) -> None:
        """Remember that a tensor's elements are absent exactly where they are -1."""
        self._indices.add(tensor)

    def picks_of(self, tensor: SSAValue) -> SSAValue | None:
        """The indices that are -1 exactly where an element of the tensor is absent: itself, or those that top-k gave
        beside its scores. None where its conditions say when that is."""
        owner = tensor.owner
        if isinstance(owner, TopkOp) or (isinstance(owner, SelectOp) and tensor is owner.indices):
            return owner.indices
        return tensor if tensor in self._indices else None

    def at(self, tensor: SSAValue, indices: tuple[SSAValue, ...], before: Operation, bounds: Confinement) -> Depends:
        """The conditions of the tensor's element at `indices`, cloned before `before`, with those of the indices that
        each depends on. They dereference only where the `bounds` of the indices hold."""
        picks = self.picks_of(tensor)
        if picks is not None:
            pick = emit(ReadOp(picks, indices, conjunction(bounds.conditions, before)), before)
            return {emit(arith.CmpiOp(pick, index(0, before), "sge"), before): frozenset(indices)}
        arguments, conditions = self._source(tensor)
        mapping = dict(zip(arguments, indices, strict=True)) if conditions else {}
        found: Depends = {}
        for condition, depends in conditions.items():
            cloned = clone_expression(condition, dict(mapping), before, bounds)
            found[cloned] = found.get(cloned, frozenset()) | {mapping[argument] for argument in depends}
        return found

    def vary_along(self, tensor: SSAValue, position: int) -> bool:
        """Whether some condition of the tensor's elements depends on the index at `position`."""
        if self.picks_of(tensor) is not None:
            return True
        arguments, conditions = self._source(tensor)
        return bool(arguments) and any(arguments[position] in depends for depends in conditions.values())

    def _source(self, tensor: SSAValue) -> tuple[tuple[SSAValue, ...], Depends]:
        """The tensor's conditions, and the value that stands in them for the index at each of its positions."""
        owner = tensor.owner
        if isinstance(owner, QuantizeOp):
            return self._quantized(owner, tensor)
        if isinstance(owner, RangedOp) and owner in self._conditions:
            self._conditions[owner] = {
                self._materialised(owner, condition) if contains_reduction(condition) else condition: depends
                for condition, depends in self._conditions[owner].items()
            }
            return tuple(owner.body.block.args), self._conditions[owner]
        return (), {}

    def _quantized(self, op: QuantizeOp, result: SSAValue) -> tuple[tuple[SSAValue, ...], Depends]:
        """Values are present where x is; a scale, a reduction over the axis, consumes what depends on it."""
        arguments, conditions = self._source(op.x)
        if result == op.values or not arguments:
            return arguments, conditions
        axis = op.axis.value.data
        passed = {value: depends for value, depends in conditions.items() if arguments[axis] not in depends}
        type_ = op.scale.type
        assert isinstance(type_, TensorType)
        dropped = type_.rank < len(arguments)
        return (arguments[:axis] + arguments[axis + 1 :] if dropped else arguments), passed

    def _materialised(self, owner: RangedOp, condition: SSAValue) -> SSAValue:
        """Compute the condition once, as a statement before its owner, and read it in the owner's region."""
        block = owner.body.block
        wanted = arguments_of(condition)
        ranges = owner.index_ranges
        positions = [place for place, argument in enumerate(block.args) if argument in wanted]
        positions = sorted({*positions, *(p for place in positions if (p := ranges[place].per_position) is not None)})
        kept = [
            RangeAttr(
                item.index, item.extent, None if item.per_position is None else positions.index(item.per_position)
            )
            for item in (ranges[place] for place in positions)
        ]
        body = index_block(kept)
        placeholder = constant(True, i1)
        end = YieldOp(placeholder.result)
        body.add_ops([placeholder, end])
        source = condition.owner
        assert isinstance(source, Operation)
        mapping: dict[SSAValue, SSAValue] = {
            block.args[place]: body.args[number] for number, place in enumerate(positions)
        }
        copy_location(source, end)
        end.operands[0] = clone_expression(condition, dict(mapping), end)
        if not placeholder.result.uses:  # the clone may have found it equal to a constant of its own
            Rewriter.erase_op(placeholder)
        made = ComputeOp(kept, Region(body), TensorType([item.extent for item in kept], i1))  # type: ignore[misc]
        made.attributes.update(owner.attributes)
        assert owner.parent is not None
        owner.parent.insert_op_before(copy_location(source, made), owner)
        read = copy_location(source, ReadOp(made.result, [block.args[place] for place in positions]))
        first = block.first_op
        assert first is not None
        block.insert_op_before(read, first)
        condition.replace_all_uses_with(read.result)
        erase_unused(block)
        return read.result


def rope_partner(op: RopeOp, before: Operation) -> SSAValue:
    """The channel that the rotation pairs with each channel; a channel past `dims` is its own. In range by
    construction, in a form that the proof of bounds accepts."""
    axis, dims = op.axis.value.data, op.dims.value.data
    channel = op.body.block.args[axis]
    if op.layout.data == "half":
        shifted = emit(arith.AddiOp(channel, index(dims // 2, before)), before)
        partner = emit(ModOp(shifted, index(dims, before)), before)
    else:
        two = index(2, before)
        even = emit(arith.MuliOp(emit(arith.FloorDivSIOp(channel, two), before), two), before)
        other = emit(arith.SubiOp(index(1, before), emit(ModOp(channel, two), before)), before)
        partner = emit(arith.AddiOp(even, other), before)
        partner = emit(arith.MinSIOp(partner, index(dims - 1, before)), before)
    rotated = emit(arith.CmpiOp(channel, index(dims, before), "slt"), before)
    return emit(arith.SelectOp(rotated, partner, channel), before)
