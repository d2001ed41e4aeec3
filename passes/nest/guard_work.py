"""Work under the condition under which it matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from hetc.dialects import nest
from hetc.dialects.locations import copy_location
from hetc.passes.nest.demand import Demand
from hetc.passes.nest.facts import Facts
from hetc.passes.nest.moving import is_taken, is_value, kernels_on, own_states, touched_in, written_in
from hetc.passes.nest.simplify_presence import conjunction, set_condition, simplify


@dataclass(frozen=True)
class GuardWorkPass(ModulePass):
    """Put a fold and what is computed for it alone into a branch that is taken where its condition holds, and likewise
    each reduction whose result is used only where a condition holds. Loops in lockstep keep their folds as they are.

    Before: any verified nest.kernel on one of `devices`. After: conditions are tested in front of what they are for.

        %v = nest.read %x[%i] if %p ; nest.fold %v into %a[] if %p
            ->   scf.if %p { %v = nest.read %x[%i] ; nest.fold %v into %a[] }
    """

    name = "guard-work"
    devices: tuple[str, ...] = ("cpu",)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in kernels_on(op, self.devices):
            guard(kernel)


def guard(kernel: nest.KernelOp) -> None:
    """The folds and the reductions of one kernel."""
    for op in list(nest.ops_in(kernel)):
        if isinstance(op, nest.FoldOp) and op.present is not None and not _is_in_lockstep(op):
            _guard_folds(op)
    demand = Demand.of_kernel(kernel)
    for op in list(nest.ops_in(kernel)):
        if isinstance(op, nest.ForOp | nest.EntriesOp) and own_states(op) is not None and not _is_in_lockstep(op):
            _guard_reduction(op, demand)
    simplify(kernel)


def _is_in_lockstep(op: Operation) -> bool:
    outer = op.parent_op()
    while outer is not None:
        if isinstance(outer, nest.ForOp) and outer.is_bound(nest.VECTOR):
            return True
        outer = outer.parent_op()
    return False


# Folds


def _guard_folds(last: nest.FoldOp) -> None:
    """Put a fold, those of the same condition before it, and what only they need into a branch."""
    block, condition = last.parent, last.present
    assert block is not None and condition is not None
    if _later(last):
        return
    inside: list[Operation] = [last]
    op = last.prev_op
    while op is not None:
        if _belongs(op, inside, last, condition):
            inside.insert(0, op)
        op = op.prev_op
    if all(isinstance(op, nest.FoldOp | arith.ConstantOp) for op in inside) and len(inside) < 3:
        return
    branch = _branch(condition, last)
    for op in inside:
        op.detach()
        branch.true_region.block.insert_op_before(op, _end(branch))
        if isinstance(op, nest.FoldOp):
            set_condition(op, ())


def _later(fold: nest.FoldOp) -> bool:
    """Whether a fold of the same condition comes later in the block, with which this one is then taken."""
    op = fold.next_op
    while op is not None:
        if isinstance(op, nest.FoldOp) and op.present is fold.present:
            return True
        if written_in(fold) & touched_in(op):
            return False
        op = op.next_op
    return False


def _belongs(op: Operation, inside: Sequence[Operation], last: nest.FoldOp, condition: SSAValue) -> bool:
    """Whether an op is needed by the ops inside alone, and may be carried out as late as they are."""
    if isinstance(op, nest.FoldOp):
        return op.present is condition and not _is_between(op, inside, last)
    if not is_value(op) and not is_taken(op) and not isinstance(op, nest.AccOp):
        states = own_states(op)
        if states is None or any(not _used_by([*inside, op], item.result, condition) for item in states):
            return False
        return not _is_between(op, inside, last)
    if not all(_used_by(inside, result, condition) for result in op.results):
        return False
    return not is_taken(op) or not _is_between(op, inside, last)


def _used_by(inside: Sequence[Operation], value: SSAValue, condition: SSAValue) -> bool:
    """Whether a value is used by these ops only, and as no condition of theirs."""
    block = inside[-1].parent
    assert block is not None
    if value is condition or value.first_use is None:
        return False
    for use in value.uses:
        at = block.find_ancestor_op_in_block(use.operation)
        if at not in inside or (isinstance(at, nest.FoldOp) and at.present is value):
            return False
    return True


def _is_between(op: Operation, inside: Sequence[Operation], last: Operation) -> bool:
    """Whether an op that stays where it is, between another one and the last, has to come after that one."""
    written, touched = written_in(op), touched_in(op)
    other = op.next_op
    while other is not None and other is not last:
        if other not in inside and (written & touched_in(other) or touched & written_in(other)):
            return True
        other = other.next_op
    return False


# Reductions


def _guard_reduction(loop: nest.ForOp | nest.EntriesOp, demand: Demand) -> None:
    """Put a loop that computes values under the conditions under which they matter, as far as these are known there."""
    asked = [leaf for leaf in demand.at(loop) if _is_before(leaf, loop)]
    if not asked:
        return
    joined = conjunction(_in_order(asked, loop), loop)
    left = Facts.around(loop).remaining(joined)
    if not left:
        return
    branch = _branch(conjunction(left, loop), loop)
    loop.detach()
    branch.true_region.block.insert_op_before(loop, _end(branch))


def _is_before(value: SSAValue, op: Operation) -> bool:
    """Whether a value of a block around an op is known there."""
    owner = value.owner
    if isinstance(owner, Block):
        return True
    assert owner.parent is not None
    at = owner.parent.find_ancestor_op_in_block(op)
    return at is not None and owner.parent.get_operation_index(owner) < owner.parent.get_operation_index(at)


def _in_order(values: Sequence[SSAValue], op: Operation) -> list[SSAValue]:
    """Values in the order in which they are computed."""
    kernel = op
    while (outer := kernel.parent_op()) is not None and not isinstance(kernel, nest.KernelOp):
        kernel = outer
    order = {made: number for number, made in enumerate(nest.ops_in(kernel))}
    return sorted(values, key=lambda value: -1 if isinstance(value.owner, Block) else order[value.owner])


def _branch(condition: SSAValue, before: Operation) -> scf.IfOp:
    """An empty branch in front of an op."""
    branch = scf.IfOp(condition, [], Region(Block([scf.YieldOp()])))
    block = before.parent
    assert block is not None
    block.insert_op_before(copy_location(before, branch), before)
    return branch


def _end(branch: scf.IfOp) -> Operation:
    last = branch.true_region.block.last_op
    assert last is not None
    return last
