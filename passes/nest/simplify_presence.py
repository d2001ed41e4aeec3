"""Conditions that are tested once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import DenseArrayBase, IntegerAttr, ModuleOp, i1, i32
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass

from hetc.dialects import nest
from hetc.dialects.locations import copy_location
from hetc.passes.nest.demand import Conditions, Demand
from hetc.passes.nest.facts import Facts, conjuncts
from hetc.passes.nest.moving import kernels_on, phases_of
from hetc.passes.nest.ranges import number_of
from hetc.passes.nest.share_values import share


@dataclass(frozen=True)
class SimplifyPresencePass(ModulePass):
    """Drop what is known of conditions: conjuncts that loops and branches around them or other conjuncts imply, selects
    whose condition holds, and selects that are chosen under a condition of which theirs is a part.

    Before: any verified nest.kernel on one of `devices`. After: a condition is the conjunction of conditions that may
    fail where it is tested, each once, in the order in which they are computed.

        %v = arith.select %p, %x, %zero ; nest.fold %v into %a[] if %p   ->   nest.fold %x into %a[] if %p
    """

    name = "simplify-presence"
    devices: tuple[str, ...] = ("cpu",)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in kernels_on(op, self.devices):
            simplify(kernel)


def simplify(kernel: nest.KernelOp) -> None:
    """The conditions of one kernel."""
    share(kernel)
    demand = Demand.of_kernel(kernel)
    for phase in phases_of(kernel):
        simplify_block(phase.block, Facts(), demand)
    loads = [op for op in nest.ops_in(kernel) if isinstance(op, nest.LoadOp) and op.present is not None]
    demand = Demand.of_kernel(kernel) if loads else demand
    for load in loads:
        _drop_condition(load, demand)
    share(kernel)


def simplify_block(block: Block, facts: Facts, demand: Demand) -> None:
    """The conditions of one block, where these facts hold."""
    for op in list(block.ops):
        match op:
            case arith.CmpiOp():
                _comparison(op, facts)
            case arith.AndIOp() | arith.OrIOp():
                _joined(op)
            case arith.SelectOp():
                _select(op, facts, demand.at(op))
            case nest.ReadOp() | nest.FindOp() | nest.LoadOp() | nest.EntriesOp() | nest.FoldOp():
                set_condition(op, facts.remaining(op.present))
        for inner, known in facts.of_blocks(op):
            simplify_block(inner, known, demand)


def _comparison(op: arith.CmpiOp, facts: Facts) -> None:
    if op.lhs.type != i1 and facts.imply(op.result):
        _replace(op, _constant(op, True))
    elif op.lhs.type != i1 and facts.deny(op.result):
        _replace(op, _constant(op, False))


def _joined(op: arith.AndIOp | arith.OrIOp) -> None:
    """A conjunction or disjunction with a side that is known."""
    if op.result.type != i1:
        return
    decides = 0 if isinstance(op, arith.AndIOp) else 1
    for side, other in ((op.lhs, op.rhs), (op.rhs, op.lhs)):
        number = number_of(side)
        if number is not None:
            _replace(op, side if number == decides else other)
            return
    if op.lhs is op.rhs:
        _replace(op, op.lhs)


def _select(op: arith.SelectOp, facts: Facts, demanded: Conditions) -> None:
    """A select that is asked for where its condition holds is what it chooses there."""
    if number_of(op.cond) == 0:
        _replace(op, op.rhs)
        return
    left = facts.remaining(op.cond)
    if facts.given(*demanded).imply(op.cond) or _is_same(op.lhs, op.rhs):
        _replace(op, op.lhs)
    elif op.result.type == i1 and number_of(op.lhs) == 1:
        _replace(op, _put_before(arith.OrIOp(op.cond, op.rhs), op))
    elif op.result.type == i1 and number_of(op.rhs) == 0:
        _replace(op, _put_before(arith.AndIOp(op.cond, op.lhs), op))
    else:
        if not _is_chain(op.cond, left):
            op.operands[0] = conjunction(left, op)
        op.operands[1] = _chosen(op.lhs, facts.given(op.cond))


def _chosen(value: SSAValue, facts: Facts) -> SSAValue:
    """What a value is where these facts hold."""
    owner = value.owner
    while isinstance(owner, arith.SelectOp) and facts.imply(owner.cond):
        value = owner.lhs
        owner = value.owner
    return value


def _drop_condition(op: nest.LoadOp, demand: Demand) -> None:
    """A load whose value matters only where its condition holds needs none if it is in range without it, too."""
    if op.present is None or not demand.at(op).issuperset(conjuncts(op.present)):
        return
    if Facts.around(op).in_range(op.buffer.type, op.indices):
        set_condition(op, ())


def _is_same(one: SSAValue, other: SSAValue) -> bool:
    if one is other:
        return True
    first, second = one.owner, other.owner
    return isinstance(first, arith.ConstantOp) and isinstance(second, arith.ConstantOp) and first.value == second.value


def set_condition(op: Operation, left: Sequence[SSAValue]) -> None:
    """Give a read, a load, a loop over entries or a fold the condition that these hold together; none if there are
    none."""
    present = op.present  # type: ignore[attr-defined]
    if (present is None) if not left else (present is not None and _is_chain(present, left)):
        return
    kept = list(op.operands) if present is None else list(op.operands)[:-1]  # the condition is the last operand
    op.operands = [*kept, conjunction(left, op)] if left else kept
    sizes = op.properties["operandSegmentSizes"]
    assert isinstance(sizes, DenseArrayBase)
    op.properties["operandSegmentSizes"] = DenseArrayBase.from_list(i32, [*sizes.get_values()[:-1], int(bool(left))])


def _is_chain(condition: SSAValue, leaves: Sequence[SSAValue]) -> bool:
    """Whether a condition is the conjunction of these as `conjunction` makes it."""
    for leaf in reversed(leaves[1:]):
        owner = condition.owner
        if not isinstance(owner, arith.AndIOp) or owner.rhs is not leaf:
            return False
        condition = owner.lhs
    return condition is leaves[0]


def conjunction(leaves: Sequence[SSAValue], before: Operation) -> SSAValue:
    """One condition for several, in front of an op."""
    found = leaves[0]
    for leaf in leaves[1:]:
        found = _put_before(arith.AndIOp(found, leaf), before)
    return found


def _constant(op: Operation, value: bool) -> SSAValue:
    return _put_before(arith.ConstantOp(IntegerAttr(int(value), i1)), op)


def _put_before(made: Operation, op: Operation) -> SSAValue:
    block = op.parent
    assert block is not None
    block.insert_op_before(copy_location(op, made), op)
    return made.results[0]


def _replace(op: Operation, value: SSAValue) -> None:
    op.results[0].replace_all_uses_with(value)
    op.detach()
    op.erase()
