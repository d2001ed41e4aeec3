"""Values that one loop stores and another one loads in an order of its own, computed where they are loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass

from hetc.dialects import nest
from hetc.passes.nest.facts import Facts, Sum, sum_of
from hetc.passes.nest.moving import is_inside, is_value, kernels_on, own_states, same_value
from hetc.passes.nest.place_buffers import as_stored
from hetc.passes.nest.ranges import range_of


@dataclass(frozen=True)
class InlineProducersPass(ModulePass):
    """Compute what a loop inside of another one stores where the one load of it stands, if the load asks for each
    element once at most and for no other: the loop, and what it stores to, are gone. Nothing is computed twice.

    Before: any verified nest.kernel on one of `devices`; limits are narrow. After: such loops are part of those that
    use what they make.

        nest.for %n { %v = ... %n ... ; nest.store %v in %s[%n] }
        nest.for %p { nest.for %m to 4 { %w = nest.load %s[4 * %p + %m] ... } }
            ->   nest.for %p { nest.for %m to 4 { %w = ... 4 * %p + %m ... } }
    """

    name = "inline-producers"
    devices: tuple[str, ...] = ("cpu",)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in kernels_on(op, self.devices):
            inline(kernel)


def inline(kernel: nest.KernelOp) -> None:
    """The buffers of one kernel."""
    for op in list(nest.ops_in(kernel)):
        if isinstance(op, nest.BufferOp):
            _inline(op)


def _inline(buffer: nest.BufferOp) -> None:
    users = [use.operation for use in buffer.result.uses]
    stores = [user for user in users if isinstance(user, nest.StoreOp)]
    loads = [user for user in users if isinstance(user, nest.LoadOp)]
    if len(users) != 2 or len(stores) != 1 or len(loads) != 1:
        return
    (store,), (load,) = stores, loads
    producer = store.parent_op()
    if not isinstance(producer, nest.ForOp) or producer.bind is not None or not _only_stores(producer, store):
        return
    if not isinstance(producer.parent_op(), nest.ForOp):
        return
    place = _own_place(store, producer)
    around = _loops_between(load, producer)
    if place is None or around is None or load.present is not None:
        return
    others = [at for at in range(len(store.indices)) if at != place]
    if not all(same_value(store.indices[at], load.indices[at]) for at in others):
        return
    asked = load.indices[place]
    if _asks_once(asked, around) and _is_made(asked, producer, Facts.around(load)):
        _move(store, producer, load, asked)
        buffer.detach()
        buffer.erase()


def _only_stores(producer: nest.ForOp, store: nest.StoreOp) -> bool:
    """Whether a loop does nothing but computing and storing one value in each pass, from operands alone."""
    if any(isinstance(op, nest.LoadOp | nest.FindOp) for op in nest.ops_in(producer)):
        return False
    for op in producer.block.ops:
        if op is store or is_value(op) or isinstance(op, nest.AccOp | nest.FinishOp):
            continue
        if own_states(op) is None:
            return False
    return True


def _own_place(store: nest.StoreOp, producer: nest.ForOp) -> int | None:
    """The place of the loop's index among those of the store; the others are known around the loop."""
    places = [at for at, index in enumerate(store.indices) if index is producer.index]
    inside = [index for index in store.indices if is_inside(index, producer)]
    return places[0] if len(places) == len(inside) == 1 else None


def _loops_between(load: nest.LoadOp, producer: nest.ForOp) -> list[nest.ForOp] | None:
    """The loops around a load up to the block of the producer, behind it; None where there is something else."""
    found: list[nest.ForOp] = []
    op: Operation | None = load
    while op is not None and op.parent is not producer.parent:
        op = op.parent_op()
        if not isinstance(op, nest.ForOp):
            return None
        found.append(op)
    block = producer.parent
    if op is None or block is None or block.get_operation_index(op) < block.get_operation_index(producer):
        return None
    return found


def _asks_once(asked: SSAValue, around: Sequence[nest.ForOp]) -> bool:
    """Whether an index is another one in each pass of all of these loops: each of them strides over what those of
    smaller strides span."""
    terms = dict(sum_of(asked).terms)
    if any(loop.step_size != 1 or terms.get(loop.index, 0) < 1 for loop in around):
        return False
    span = 0
    for loop in sorted(around, key=lambda loop: terms[loop.index]):
        stride = terms[loop.index]
        if stride <= span:
            return False
        low, high = range_of(loop.index)
        span += stride * max(0, high - low)
    return True


def _is_made(asked: SSAValue, producer: nest.ForOp, facts: Facts) -> bool:
    """Whether the producer has a pass of this index."""
    index, lower, upper = sum_of(asked), sum_of(producer.lower), sum_of(producer.upper)
    enough = facts.at_least_0(index.plus(lower, -1)) and facts.at_least_0(upper.plus(index, -1).plus(Sum((), -1)))
    return producer.step_size == 1 and enough


def _move(store: nest.StoreOp, producer: nest.ForOp, load: nest.LoadOp, asked: SSAValue) -> None:
    """Put what a producer computes in front of the load, for the index that this asks for."""
    value = as_stored(store)
    block = load.parent
    assert block is not None
    producer.index.replace_all_uses_with(asked)
    for op in list(producer.block.ops):
        op.detach()
        if op is not store:
            block.insert_op_before(op, load)
    load.result.replace_all_uses_with(value)
    for done in (load, producer):
        done.detach()
        done.erase()
    store.erase()
