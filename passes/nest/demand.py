"""Under which conditions what an op computes matters: of each way in which it is used one of them holds at least."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from xdsl.dialects import arith
from xdsl.dialects.builtin import i1
from xdsl.ir import Block, Operation, SSAValue

from hetc.dialects import nest
from hetc.passes.nest.facts import conjuncts
from hetc.passes.nest.moving import is_taken, is_value

Conditions = frozenset[SSAValue]
ALWAYS: Conditions = frozenset()


@dataclass
class Demand:
    """What is asked for where, in one kernel. A condition that is computed in a pass of a loop says nothing outside of
    it."""

    found: dict[Operation, Conditions] = field(default_factory=dict)

    @staticmethod
    def of_kernel(kernel: nest.KernelOp) -> Demand:
        """Every op of the kernel, users before what they use."""
        demand = Demand()
        for op in reversed(list(nest.ops_in(kernel))):
            demand.found[op] = demand._of(op)
        return demand

    def at(self, op: Operation) -> Conditions:
        """The conditions under all of which an op matters."""
        return self.found.get(op, ALWAYS)

    def of_states(self, states: SSAValue) -> Conditions:
        """The conditions under which states matter; always those of queues, and of what outlives a phase."""
        owner = states.owner
        if not isinstance(owner, nest.AccOp) or nest.is_queue(states):
            return ALWAYS
        taken = [use.operation for use in states.uses if not isinstance(use.operation, nest.FoldOp)]
        if not all(isinstance(op, nest.FinishOp) for op in taken):
            return ALWAYS
        return _shared(owner, [self.at(op) for op in taken])

    def of_fold(self, op: nest.FoldOp) -> Conditions:
        """The conditions under which a fold matters, its own among them."""
        return self.at(op).union(conjuncts(op.present))

    def _of(self, op: Operation) -> Conditions:
        if isinstance(op, nest.FoldOp):
            return _visible(op, self.of_states(op.states))
        if isinstance(op, nest.ForOp | nest.EntriesOp):
            return self._of_loop(op)
        if not is_value(op) and not is_taken(op):
            return ALWAYS
        return _shared(op, [self._at_use(use.operation, use.index) for result in op.results for use in result.uses])

    def _of_loop(self, loop: Operation) -> Conditions:
        """A loop matters where something that it writes does."""
        folds = []
        for inner in nest.ops_in(loop):
            if isinstance(inner, nest.FoldOp):
                folds.append(inner)
            elif any(touch.writes for touch in nest.touches(inner)):
                return ALWAYS
        return _shared(loop, [self.of_fold(fold) for fold in folds])

    def _at_use(self, user: Operation, place: int) -> Conditions:
        """The conditions under which a user looks at an operand. What keeps an access in range matters whenever that is
        carried out."""
        match user:
            case arith.SelectOp() if place == 1:
                return self.at(user).union(conjuncts(user.cond))
            case arith.AndIOp() if place == 1 and user.result.type == i1:
                return self.at(user).union(conjuncts(user.lhs))
            case nest.FoldOp() if place < len(user.values):
                return self.of_fold(user)
            case nest.FoldOp() if place == len(user.operands) - 1:
                return self.at(user) if user.present is not None else ALWAYS
            case nest.ReadOp() | nest.FindOp() | nest.LoadOp():
                is_condition = user.present is not None and place == len(user.operands) - 1
                return ALWAYS if is_condition else frozenset(conjuncts(user.present))
        return self.at(user) if is_value(user) else ALWAYS


def _shared(op: Operation, uses: list[Conditions]) -> Conditions:
    """What all uses have in common that means something where an op stands."""
    if not uses:
        return ALWAYS
    return _visible(op, frozenset.intersection(*uses))


def _visible(op: Operation, conditions: Conditions) -> Conditions:
    """The conditions that have one value while an op is carried out once: those of its block and of those around it."""
    if not conditions:
        return conditions
    around = set(_blocks_around(op))
    return frozenset(condition for condition in conditions if _block_of(condition) in around)


def _blocks_around(op: Operation) -> Iterator[Block]:
    block = op.parent
    while block is not None:
        yield block
        block = block.parent_block()


def _block_of(value: SSAValue) -> Block | None:
    owner = value.owner
    return owner if isinstance(owner, Block) else owner.parent
