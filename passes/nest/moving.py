"""What may stand elsewhere in a kernel: which ops compute and do nothing else, and which come in one order only.

The condition of a read or a load guards it wherever it stands: a read may be carried out where the loop that it stood in
has no pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xdsl.dialects import scf
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.traits import is_side_effect_free

from hetc.dialects import nest


def kernels_on(module: ModuleOp, devices: Sequence[str]) -> list[nest.KernelOp]:
    """The kernels of a module on one of these kinds of devices."""
    found = [op for op in module.body.block.ops if isinstance(op, nest.KernelOp)]
    return [kernel for kernel in found if kernel.device.data in devices]


def phases_of(kernel: nest.KernelOp) -> list[nest.PhaseOp]:
    return [op for op in kernel.block.ops if isinstance(op, nest.PhaseOp)]


def is_value(op: Operation) -> bool:
    """Whether an op computes its results from its operands and does nothing else; reads of operands do so too."""
    return not op.regions and bool(op.results) and is_side_effect_free(op)


def is_taken(op: Operation) -> bool:
    """Whether an op takes something from a buffer or from a state, and changes nothing."""
    return isinstance(op, nest.LoadOp | nest.FinishOp | nest.EntryOp | nest.OfferedOp)


def blocks_of(op: Operation) -> Iterator[Block]:
    for region in op.regions:
        yield from region.blocks


def written_in(root: Operation) -> set[SSAValue]:
    """The buffers and states that an op and what is in it write."""
    return {access.target for access in nest.accesses_inside(root) if access.writes}


def touched_in(root: Operation) -> set[SSAValue]:
    return {access.target for access in nest.accesses_inside(root)}


def used_in(root: Operation) -> set[SSAValue]:
    """The values that an op and what is in it use."""
    return {operand for op in root.walk() for operand in op.operands}


def is_inside(value: SSAValue, root: Operation) -> bool:
    """Whether a value is made in a region of an op."""
    owner = value.owner
    inner = owner.parent_op() if isinstance(owner, Block) else owner
    if isinstance(owner, Block) and inner is root:
        return True
    return inner is not None and nest.is_inside(inner, root)


def needs(later: Operation, earlier: Operation) -> bool:
    """Whether an op has to come after an op of its block that stands before it: it uses what that one makes, or one
    writes what the other one touches."""
    if used_in(later).intersection(earlier.results):
        return True
    first, second = touched_in(earlier), touched_in(later)
    return bool(written_in(earlier) & second or first & written_in(later))


def own_states(loop: Operation) -> list[nest.AccOp] | None:
    """The states that a loop or a branch folds into, where these are all that it writes from around it, they stand in
    its block and nothing else folds into them: then it computes values, and does nothing else. None where it does
    more."""
    if not isinstance(loop, nest.ForOp | nest.EntriesOp | scf.IfOp):
        return None
    found = []
    for target in sorted_targets(written_in(loop), loop):
        owner = target.owner
        if not isinstance(owner, nest.AccOp) or owner.parent is not loop.parent or not _written_only_in(target, loop):
            return None
        found.append(owner)
    return found or None


def sorted_targets(targets: set[SSAValue], root: Operation) -> list[SSAValue]:
    """Those from around an op, in the order in which they are first touched in it."""
    order = dict.fromkeys(access.target for access in nest.accesses_inside(root))
    return [target for target in order if target in targets and not is_inside(target, root)]


def _written_only_in(target: SSAValue, loop: Operation) -> bool:
    for use in target.uses:
        writes = any(access.writes and access.target is target for access in nest.accesses(use.operation))
        if writes and not nest.is_inside(use.operation, loop):
            return False
    return True


def same_value(one: SSAValue, other: SSAValue) -> bool:
    """Whether two values are equal wherever both are known: one value, or equal ops over equal values."""
    if one is other:
        return True
    first, second = one.owner, other.owner
    if isinstance(first, Block) or isinstance(second, Block) or not is_value(first) or not is_value(second):
        return False
    return (
        first.name == second.name
        and first.properties == second.properties
        and len(first.operands) == len(second.operands)
        and first.results.index(one) == second.results.index(other)  # type: ignore[arg-type]
        and [result.type for result in first.results] == [result.type for result in second.results]
        and all(same_value(a, b) for a, b in zip(first.operands, second.operands, strict=True))
    )


def erase_unused(root: Operation) -> None:
    """Erase values that nothing uses, and states and buffers that nothing takes anything from."""
    changed = True
    while changed:
        changed = False
        for op in list(root.walk(reverse=True)):
            if op.parent is not None and op is not root and _is_unused(op):
                _erase(op)
                changed = True


def _is_unused(op: Operation) -> bool:
    if isinstance(op, nest.AccOp | nest.BufferOp):
        uses = [use.operation for use in op.results[0].uses]
        return all(isinstance(user, nest.FoldOp | nest.StoreOp) for user in uses)
    if isinstance(op, nest.ForOp | nest.EntriesOp):
        return not op.block.ops
    if isinstance(op, scf.IfOp):
        return all(isinstance(inner, scf.YieldOp) for inner in op.true_region.block.ops) and not op.false_region.blocks
    return (is_value(op) or is_taken(op)) and all(result.first_use is None for result in op.results)


def _erase(op: Operation) -> None:
    for result in op.results:
        for user in {use.operation for use in result.uses}:
            user.detach()
            user.erase()
    op.detach()
    op.erase()
