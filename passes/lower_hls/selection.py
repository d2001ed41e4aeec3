"""The end of a scan that selects: the best of each channel, and the best of all channels, into the results."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType
from xdsl.ir import SSAValue

from hetc.dialects import fpga
from hetc.dialects.mp import RangedOp, SelectOp, TopkOp
from hetc.passes.lower_hls.builder import Body, Frame
from hetc.passes.lower_hls.kernel import KernelBuilder
from hetc.passes.lower_hls.refusal import refuse
from hetc.passes.lower_hls.statements import (
    candidate,
    counted,
    declare_queue,
    store_overflow,
    write_queue,
)

PAIR_DEPTH = 16  # of the FIFOs between the channels' selections and the merge


class Selecting:
    """Processes from streams of scores (-inf: no candidate) to the results of a top-k or a selection."""

    def __init__(self, kernel: KernelBuilder, op: RangedOp, free: Sequence[SSAValue], count: int):
        if not isinstance(op, TopkOp | SelectOp):
            raise refuse(f"a selection by {op.name}", op)
        self.kernel, self.op, self.free, self.count = kernel, op, list(free), count
        self.capacity = op.k.value.data if isinstance(op, TopkOp) else op.capacity.value.data
        self.order = op.order.data if isinstance(op, TopkOp) else "index"

    def build(self, body: Body, scores: Sequence[SSAValue], channels: Sequence[tuple[SSAValue, SSAValue]]) -> None:
        """`channels` gives each one's first row and number of rows."""
        if self.count == 1:
            self._alone(body, scores[0], channels[0][1])
            return
        streams = [
            self._channel(body, number, stream, *channel)
            for number, (stream, channel) in enumerate(zip(scores, channels, strict=True))
        ]
        self._merge(body, streams)

    def _take(self, inner: Body, queue: SSAValue, scores: SSAValue, rows: SSAValue, first: SSAValue | None) -> SSAValue:
        """Offer every score to the queue; returns how many were candidates."""
        wants_count = isinstance(self.op, SelectOp)
        carried = [inner.index(0)] if wants_count else []
        loop = inner.loop("row", inner.use(rows), carried)
        score = loop.body.add(fpga.ReadOp(loop.body.use(scores))).result
        index = loop.index
        if first is not None:
            scaled = loop.body.add(arith.MuliOp(index, loop.body.index(self.count))).result
            index = loop.body.add(arith.AddiOp(scaled, loop.body.use(first))).result
        loop.body.add(fpga.PushOp(score, index, queue))
        if not wants_count:
            loop.close()
            return inner.index(0)
        (count,) = loop.close([counted(loop.body, loop.carried[0], candidate(loop.body, score, None))])
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

    def _channel(
        self, body: Body, number: int, scores: SSAValue, first: SSAValue, rows: SSAValue
    ) -> tuple[SSAValue, SSAValue, SSAValue | None]:
        """One channel's best pairs as streams; the count of its candidates too where it matters."""
        score_type = self.op.yielded.value.type
        best = body.add(fpga.StreamOp(f"best_{number}", PAIR_DEPTH, score_type)).result
        places = body.add(fpga.StreamOp(f"places_{number}", PAIR_DEPTH, IndexType())).result
        counts = None
        if isinstance(self.op, SelectOp):
            counts = body.add(fpga.StreamOp(f"count_{number}", 2, IndexType())).result
        frame = Frame("select", self.op)
        inner = frame.body()
        queue = declare_queue(self.kernel, inner, self.op, self.capacity)  # type: ignore[arg-type]
        count = self._take(inner, queue, scores, rows, first)
        if counts is not None:
            inner.add(fpga.WriteOp(count, inner.use(counts)))
        loop = inner.loop("j", inner.index(self.capacity), most=self.capacity)
        entry = loop.body.add(fpga.EntryOp(queue, loop.index))
        loop.body.add(fpga.WriteOp(entry.score, loop.body.use(best)))
        loop.body.add(fpga.WriteOp(entry.index, loop.body.use(places)))
        loop.close()
        frame.finish(body)
        return best, places, counts

    def _merge(self, body: Body, streams: Sequence[tuple[SSAValue, SSAValue, SSAValue | None]]) -> None:
        frame = Frame("merge", self.op)
        inner = frame.body()
        queue = declare_queue(self.kernel, inner, self.op, self.capacity)  # type: ignore[arg-type]
        total = inner.index(0)
        for best, places, counts in streams:
            if counts is not None:
                count = inner.add(fpga.ReadOp(inner.use(counts))).result
                total = inner.add(arith.AddiOp(total, count)).result
            loop = inner.loop("j", inner.index(self.capacity), most=self.capacity)
            score = loop.body.add(fpga.ReadOp(loop.body.use(best))).result
            index = loop.body.add(fpga.ReadOp(loop.body.use(places))).result
            loop.body.add(fpga.PushOp(score, index, queue))
            loop.close()
        self._deliver(inner, queue, total)
        frame.finish(body)
