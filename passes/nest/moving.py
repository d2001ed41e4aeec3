"""What may stand elsewhere in a kernel: which ops compute and do nothing else, and which come in one order only.

Reads and loads are in range where they stand and their condition holds. A loop around one may be what keeps it so: it
may move among the ops of its block, and out of a loop that has a pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

from xdsl.dialects import scf
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.traits import MemoryEffect, NoMemoryEffect

from hetc.dialects import nest


def kernels_on(module: ModuleOp, devices: Sequence[str]) -> list[nest.KernelOp]:
    """The kernels of a module on one of these kinds of devices."""
    found = [op for op in module.body.block.ops if isinstance(op, nest.KernelOp)]
    return [kernel for kernel in found if kernel.device.data in devices]


def phases_of(kernel: nest.KernelOp) -> list[nest.PhaseOp]:
    return [op for op in kernel.block.ops if isinstance(op, nest.PhaseOp)]


def is_value(op: Operation) -> bool:
    """Whether an op computes its results from its operands and does nothing else; reads of operands do so too."""
    return _has_no_effect(type(op)) and not op.regions and bool(op.results)


@cache
def _has_no_effect(kind: type[Operation]) -> bool:
    """Whether the traits of a kind of ops say that those without regions have no effect."""
    found = kind.get_traits_of_type(MemoryEffect)  # type: ignore[type-abstract]
    return bool(found) and all(isinstance(trait, NoMemoryEffect) for trait in found)


_TAKING = frozenset({nest.LoadOp, nest.FinishOp, nest.EntryOp, nest.OfferedOp})


def is_taken(op: Operation) -> bool:
    """Whether an op takes something from a buffer or from a state, and changes nothing."""
    return type(op) in _TAKING


def blocks_of(op: Operation) -> Iterator[Block]:
    for region in op.regions:
        yield from region.blocks


def written_in(root: Operation) -> set[SSAValue]:
    """The buffers and states that an op and what is in it write."""
    return {touch.target for touch in nest.touches_inside(root) if touch.writes}


def touched_in(root: Operation) -> set[SSAValue]:
    return {touch.target for touch in nest.touches_inside(root)}


def used_in(root: Operation) -> set[SSAValue]:
    """The values that an op and what is in it use."""
    return {operand for op in nest.ops_in(root) for operand in op.operands}


def is_inside(value: SSAValue, root: Operation) -> bool:
    """Whether a value is made in a region of an op."""
    owner = value.owner
    inner = owner.parent_op() if isinstance(owner, Block) else owner
    if isinstance(owner, Block) and inner is root:
        return True
    return inner is not None and nest.is_inside(inner, root)


@dataclass
class Order:
    """Which ops of a block come in one order only. What each uses and touches is looked up once."""

    _known: dict[Operation, tuple[set[SSAValue], set[SSAValue], set[SSAValue]]] = field(default_factory=dict)

    def needs(self, later: Operation, earlier: Operation) -> bool:
        """Whether an op has to come after one that stands before it: it uses what that one makes, or one writes what
        the other one touches."""
        uses, touched, written = self._of(later)
        _, touched_before, written_before = self._of(earlier)
        return (
            any(result in uses for result in earlier.results)
            or not written_before.isdisjoint(touched)
            or not written.isdisjoint(touched_before)
        )

    def join(self, first: Operation, second: Operation) -> None:
        """Note that the ops in one op are about to be put into another."""
        for own, other in zip(self._of(first), self._of(second), strict=True):
            own |= other

    def touched(self, op: Operation) -> set[SSAValue]:
        return self._of(op)[1]

    def written(self, op: Operation) -> set[SSAValue]:
        return self._of(op)[2]

    def _of(self, op: Operation) -> tuple[set[SSAValue], set[SSAValue], set[SSAValue]]:
        if op not in self._known:
            touched = list(nest.touches_inside(op))
            written = {touch.target for touch in touched if touch.writes}
            self._known[op] = used_in(op), {touch.target for touch in touched}, written
        return self._known[op]


def own_states(loop: Operation) -> list[nest.AccOp] | None:
    """The states that a loop or a branch folds into, where these are all that it writes from around it, they stand in
    its block and nothing else folds into them: then it computes values, and does nothing else. None where it does
    more."""
    if not isinstance(loop, nest.ForOp | nest.EntriesOp | scf.IfOp):
        return None
    found: dict[SSAValue, nest.AccOp] = {}
    touched = list(nest.touches_inside(loop))
    for touch in touched:
        owner = touch.target.owner
        if not touch.writes or touch.target in found or is_inside(touch.target, loop):
            continue
        if not isinstance(owner, nest.AccOp) or owner.parent is not loop.parent:
            return None
        found[touch.target] = owner
    if not all(_written_only_in(target, loop) for target in found):
        return None
    # In the order in which they are first touched.
    return [found[target] for target in dict.fromkeys(touch.target for touch in touched) if target in found] or None


def _written_only_in(target: SSAValue, loop: Operation) -> bool:
    for use in target.uses:
        writes = any(touch.writes and touch.target is target for touch in nest.touches(use.operation))
        if writes and not nest.is_inside(use.operation, loop):
            return False
    return True


def same_value(one: SSAValue, other: SSAValue, renamed: Mapping[SSAValue, SSAValue] = MappingProxyType({})) -> bool:
    """Whether two values are equal wherever both are known: one value, or equal ops over equal values. renamed: what
    stands for values of the second."""
    if one is renamed.get(other, other):
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
        and all(same_value(a, b, renamed) for a, b in zip(first.operands, second.operands, strict=True))
    )


def erase_unused(root: Operation) -> None:
    """Erase values that nothing uses, states and buffers that nothing takes anything from, and what is empty then."""
    again = True
    while again:
        again = False
        # Users and contents come first, so one round is enough but for what only erased folds and stores used.
        for op in reversed(list(nest.inner_ops(root))):
            if op.parent is not None and _is_unused(op):
                again = again or isinstance(op, nest.AccOp | nest.BufferOp)
                _erase(op)


def _is_unused(op: Operation) -> bool:
    if isinstance(op, nest.AccOp | nest.BufferOp):
        uses = [use.operation for use in op.results[0].uses]
        return all(isinstance(user, nest.FoldOp | nest.StoreOp) for user in uses)
    if isinstance(op, nest.PhaseOp | nest.ForOp | nest.EntriesOp):
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
