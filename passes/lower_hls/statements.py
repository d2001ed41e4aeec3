"""The general form of each statement: one process, a loop nest over the free indices, evaluated in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, IndexType, i1
from xdsl.ir import Operation, SSAValue

from hetc.dialects import fpga
from hetc.dialects.locations import copy_location
from hetc.dialects.mp import ComputeOp, RangeAttr, RangedOp, SelectOp, TopkOp, extent_key
from hetc.passes.lower_hls.builder import FLOAT_INFINITY, Body, Frame, Loop, close_conditions
from hetc.passes.lower_hls.kernel import KernelBuilder
from hetc.passes.lower_hls.memory import Dense
from hetc.passes.lower_hls.refusal import refuse
from hetc.passes.lower_hls.regions import RegionLowering


@dataclass
class Nest:
    """Loops that are open, outermost first; `body` is the innermost's."""

    body: Body
    loops: list[Loop]

    def close(self) -> None:
        for loop in reversed(self.loops):
            loop.close()


def open_nest(region: RegionLowering, body: Body, op: RangedOp, positions: Sequence[int]) -> Nest:
    """A loop for each range at `positions` (an index that another one's dim is per comes first)."""
    loops: list[Loop] = []
    for position in loop_order(op, positions):
        item = op.index_ranges[position]
        per = _per(region, op, item)
        loop = body.loop(item.index.data, region.extent(body, item.extent, per), most=_constant(item))
        region.values[op.body.block.args[position]] = loop.index
        region.safe[loop.index] = extent_key(item.extent)
        loops.append(loop)
        body = loop.body
    return Nest(body, loops)


def loop_order(op: RangedOp, positions: Sequence[int]) -> list[int]:
    """`positions` with every index after the one that its dim is per."""
    ordered: list[int] = []
    waiting = list(positions)
    while waiting:
        ready = [
            position
            for position in waiting
            if (per := op.index_ranges[position].per_position) is None or per in ordered or per not in positions
        ]
        if not ready:
            raise refuse("lengths that depend on each other", op)
        ordered.append(ready[0])
        waiting.remove(ready[0])
    return ordered


def _per(region: RegionLowering, op: RangedOp, item: RangeAttr) -> SSAValue | None:
    """The index that the range's length depends on. Refused where its loop lies further inside."""
    if item.per_position is None:
        return None
    argument = op.body.block.args[item.per_position]
    if argument not in region.values:
        raise refuse(f"the length of {item.index.data} depends on an inner index", op)
    return region.value(argument)


def _constant(item: RangeAttr) -> int | None:
    key = extent_key(item.extent)
    return key if isinstance(key, int) else None


def lower_statement(kernel: KernelBuilder, op: Operation) -> None:
    """Adds the process of one statement to the kernel."""
    match op:
        case ComputeOp():
            lower_compute(kernel, op)
        case TopkOp():
            lower_topk(kernel, op)
        case SelectOp():
            lower_select(kernel, op)
        case _:
            raise refuse(f"{op.name} inside a kernel", op)


def lower_compute(kernel: KernelBuilder, op: ComputeOp) -> None:
    homes = kernel.result_homes(op.result)
    frame = Frame(kernel.step_name(op.result, "compute"), op)
    region = kernel.region()
    nest = open_nest(region, frame.body(), op, range(len(op.ranges)))
    value, present = region.lower(op.body.block, nest.body)
    if present is not None:
        raise refuse("a condition on the yield of mp.compute (run explicit-presence first)", op)
    indices = [region.value(argument) for argument in op.body.block.args]
    store_all(nest.body, homes, value, indices)
    nest.close()
    finish(kernel, frame)


def store_all(body: Body, homes: Sequence[Dense], value: SSAValue, indices: Sequence[SSAValue]) -> None:
    """Store to every place where the tensor is wanted."""
    for home in homes:
        home.store(body, value, indices)  # type: ignore[union-attr]


def finish(kernel: KernelBuilder, frame: Frame) -> None:
    close_conditions(frame.block)
    op = frame.finish(kernel.body)
    copy_location(frame.source, op)


def queue_kind(kernel: KernelBuilder, capacity: int) -> str:
    return "register" if capacity <= kernel.plan.register_queue else "heap"


def lower_topk(kernel: KernelBuilder, op: TopkOp) -> None:
    frame = Frame(kernel.step_name(op.indices, "topk"), op)
    region = kernel.region()
    free = range(len(op.ranges) - 1)
    nest = open_nest(region, frame.body(), op, free)
    capacity = op.k.value.data
    queue = declare_queue(kernel, nest.body, op, capacity)
    scan = open_nest(region, nest.body, op, [len(op.ranges) - 1])
    score, present = region.lower(op.body.block, scan.body)
    scan.body.add(fpga.PushOp(score, region.value(op.body.block.args[-1]), queue, present))
    scan.close()
    if op.order.data != "any":
        nest.body.add(fpga.ArrangeOp(queue, op.order.data))
    outer = [region.value(op.body.block.args[position]) for position in free]
    write_queue(kernel, nest.body, op, queue, outer)
    nest.close()
    finish(kernel, frame)


def declare_queue(kernel: KernelBuilder, body: Body, op: TopkOp | SelectOp, capacity: int) -> SSAValue:
    score_type = op.yielded.value.type
    type_ = fpga.QueueType(score_type, capacity, queue_kind(kernel, capacity))
    return body.add(fpga.QueueOp("best", type_)).result


def write_queue(
    kernel: KernelBuilder, body: Body, op: TopkOp | SelectOp, queue: SSAValue, outer: Sequence[SSAValue]
) -> None:
    """The queue's pairs into the results, the unused tail included."""
    capacity = op.k.value.data if isinstance(op, TopkOp) else op.capacity.value.data
    loop = body.loop("j", body.index(capacity), most=capacity)
    entry = loop.body.add(fpga.EntryOp(queue, loop.index))
    store_all(loop.body, kernel.result_homes(op.indices), entry.index, [*outer, loop.index])
    if isinstance(op, TopkOp):
        store_all(loop.body, kernel.result_homes(op.scores), entry.score, [*outer, loop.index])
    loop.close()


def lower_select(kernel: KernelBuilder, op: SelectOp) -> None:
    frame = Frame(kernel.step_name(op.indices, "select"), op)
    region = kernel.region()
    free = range(len(op.ranges) - 1)
    nest = open_nest(region, frame.body(), op, free)
    capacity = op.capacity.value.data
    queue = declare_queue(kernel, nest.body, op, capacity)
    item = op.index_ranges[-1]
    per = _per(region, op, item)
    upper = region.extent(nest.body, item.extent, per)
    scan = nest.body.loop(item.index.data, upper, [nest.body.index(0)], most=_constant(item))
    region.values[op.body.block.args[-1]] = scan.index
    region.safe[scan.index] = extent_key(item.extent)
    score, present = region.lower(op.body.block, scan.body)
    qualifies = candidate(scan.body, score, present)
    scan.body.add(fpga.PushOp(score, scan.index, queue, qualifies))
    (count,) = scan.close([counted(scan.body, scan.carried[0], qualifies)])
    nest.body.add(fpga.ArrangeOp(queue, "index"))
    outer = [region.value(op.body.block.args[position]) for position in free]
    write_queue(kernel, nest.body, op, queue, outer)
    store_overflow(kernel, nest.body, op, count, outer)
    nest.close()
    finish(kernel, frame)


def candidate(body: Body, score: SSAValue, present: SSAValue | None) -> SSAValue:
    """Present, not NaN and not -inf."""
    if isinstance(score.type, Float32Type):
        above = body.compare("ogt", score, body.constant(-FLOAT_INFINITY, score.type))
        present = body.both(present, above)
    return body.constant(1, i1) if present is None else present


def counted(body: Body, count: SSAValue, condition: SSAValue) -> SSAValue:
    more = body.add(arith.AddiOp(count, body.index(1))).result
    return body.select(condition, more, count)


def store_overflow(kernel: KernelBuilder, body: Body, op: SelectOp, count: SSAValue, outer: Sequence[SSAValue]) -> None:
    """How many qualified beyond the capacity."""
    homes = kernel.result_homes(op.overflow)
    if not homes:
        return
    beyond = body.add(arith.SubiOp(count, body.index(op.capacity.value.data))).result
    clipped = body.add(arith.MaxSIOp(beyond, body.index(0))).result
    assert isinstance(clipped.type, IndexType)
    store_all(body, homes, clipped, outer)
