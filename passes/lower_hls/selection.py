"""The end of a scan that selects: the best of each channel, and the best of all channels, into the results."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, IndexType
from xdsl.ir import SSAValue

from hetc.dialects import fpga
from hetc.dialects.mp import RangedOp, SelectOp, TopkOp
from hetc.passes.lower_hls.builder import Body, Frame
from hetc.passes.lower_hls.kernel import KernelBuilder
from hetc.passes.lower_hls.readers import Channel
from hetc.passes.lower_hls.refusal import refuse
from hetc.passes.lower_hls.scores import unmarked
from hetc.passes.lower_hls.statements import (
    candidate,
    counted,
    declare_queue,
    store_overflow,
    write_queue,
)

PAIR_DEPTH = 16  # of the FIFOs between the channels' selections and the merge


class Selecting:
    """Processes from streams of scores (see scores) to the results of a top-k or a selection."""

    def __init__(self, kernel: KernelBuilder, op: RangedOp, free: Sequence[SSAValue], count: int):
        if not isinstance(op, TopkOp | SelectOp):
            raise refuse(f"a selection by {op.name}", op)
        self.kernel, self.op, self.free, self.count = kernel, op, list(free), count
        self.capacity = op.k.value.data if isinstance(op, TopkOp) else op.capacity.value.data
        self.order = op.order.data if isinstance(op, TopkOp) else "index"

    def build(self, body: Body, scores: Sequence[SSAValue], channels: Sequence[Channel]) -> None:
        if self.count == 1:
            self._alone(body, scores[0], channels[0].rows)
            return
        streams = [self._streams(body, number) for number in range(self.count)]
        frame = self._channel(body, streams[0], scores[0], channels[0])
        for number in range(1, self.count):
            own = dict(zip(streams[0], streams[number], strict=True))
            frame.repeat(body, {**own, **channels[number].instead_of(channels[0]), scores[0]: scores[number]})
        self._merge(body, streams)

    def _take(self, inner: Body, queue: SSAValue, scores: SSAValue, rows: SSAValue, first: SSAValue | None) -> SSAValue:
        """Offer every score to the queue; returns how many were candidates."""
        wants_count = isinstance(self.op, SelectOp)
        carried = [inner.index(0)] if wants_count else []
        loop = inner.loop("row", inner.use(rows), carried)
        flowed = loop.body.add(fpga.ReadOp(loop.body.use(scores))).result
        score, present = unmarked(loop.body, flowed, self.op.yielded.value.type)
        index = loop.index
        if first is not None:
            scaled = loop.body.add(arith.MuliOp(index, loop.body.index(self.count))).result
            index = loop.body.add(arith.AddiOp(scaled, loop.body.use(first))).result
        loop.body.add(fpga.PushOp(score, index, queue, present))
        if not wants_count:
            loop.close()
            return inner.index(0)
        (count,) = loop.close([counted(loop.body, loop.carried[0], candidate(loop.body, score, present))])
        return count

    def _alone(self, body: Body, scores: SSAValue, rows: SSAValue) -> None:
        frame = Frame("select", self.op)
        inner = frame.body()
        queue = declare_queue(self.kernel, inner, self.op, self.capacity)  # type: ignore[arg-type]
        count = self._take(inner, queue, scores, rows, None)
        self._deliver(inner, queue, count)
        frame.finish(body)

    def _deliver(self, inner: Body, queue: SSAValue, count: SSAValue) -> None:
        """The queue's pairs, and how many did not fit, into the results."""
        assert isinstance(self.op, TopkOp | SelectOp)
        if self.order != "any":
            inner.add(fpga.ArrangeOp(queue, self.order))
        outer = [inner.use(value) for value in self.free]
        write_queue(self.kernel, inner, self.op, queue, outer)
        if isinstance(self.op, SelectOp):
            store_overflow(self.kernel, inner, self.op, count, outer)

    def _streams(self, body: Body, number: int) -> list[SSAValue]:
        """What leaves one channel: scores, places, and the count of candidates where it matters."""
        kinds = [("best", PAIR_DEPTH, self.op.yielded.value.type), ("places", PAIR_DEPTH, IndexType())]
        if isinstance(self.op, SelectOp):
            kinds.append(("count", 2, IndexType()))
        return [body.add(fpga.StreamOp(f"{name}_{number}", depth, type_)).result for name, depth, type_ in kinds]

    def _channel(self, body: Body, streams: Sequence[SSAValue], scores: SSAValue, channel: Channel) -> Frame:
        """The best pairs of the first channel into its streams."""
        best, places, *counts = streams
        frame = Frame("select", self.op)
        inner = frame.body()
        queue = declare_queue(self.kernel, inner, self.op, self.capacity)  # type: ignore[arg-type]
        count = self._take(inner, queue, scores, channel.rows, channel.first)
        for stream in counts:
            inner.add(fpga.WriteOp(count, inner.use(stream)))
        loop = inner.loop("j", inner.index(self.capacity), most=self.capacity)
        entry = loop.body.add(fpga.EntryOp(queue, loop.index))
        loop.body.add(fpga.WriteOp(entry.score, loop.body.use(best)))
        loop.body.add(fpga.WriteOp(entry.index, loop.body.use(places)))
        loop.close()
        frame.finish(body)
        return frame

    def _merge(self, body: Body, streams: Sequence[Sequence[SSAValue]]) -> None:
        frame = Frame("merge", self.op)
        inner = frame.body()
        queue = declare_queue(self.kernel, inner, self.op, self.capacity)  # type: ignore[arg-type]
        total = inner.index(0)
        for best, places, *counts in streams:
            for stream in counts:
                count = inner.add(fpga.ReadOp(inner.use(stream))).result
                total = inner.add(arith.AddiOp(total, count)).result
            loop = inner.loop("j", inner.index(self.capacity), most=self.capacity)
            score = loop.body.add(fpga.ReadOp(loop.body.use(best))).result
            index = loop.body.add(fpga.ReadOp(loop.body.use(places))).result
            # Behind a channel's best there are entries of no row: of those only an f32 score shows it.
            used = None if isinstance(score.type, Float32Type) else loop.body.compare("sge", index, loop.body.index(0))
            loop.body.add(fpga.PushOp(score, index, queue, used))
            loop.close()
        self._deliver(inner, queue, total)
        frame.finish(body)
