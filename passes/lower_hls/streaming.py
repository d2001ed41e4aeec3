"""A scan as a dataflow: readers -> scores -> selection -> writer, for each combination of the free indices.

    read_keys_c   words of the rows of channel c, in bursts
    load_q        what the scan does not change, once, to every channel
    join_c        a row's words side by side, where a row takes several iterations of the next
    score_c       decodes a row and evaluates the statement's region on it
    select_c      the best of channel c          (of a top-k or a selection)
    merge         the best of all channels, to the results
    write         the values, to the results     (of a plain statement)

Row t is channel t modulo their number. All floats are summed in the same order whatever the FIFO depths.
"""

from __future__ import annotations

from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType, IntegerAttr
from xdsl.ir import SSAValue

from hetc.dialects import fpga
from hetc.dialects.locations import copy_location
from hetc.dialects.mp import ComputeOp, DimAttr, ReduceOp, extent_key
from hetc.passes.lower_hls.builder import Body, Frame, close_conditions
from hetc.passes.lower_hls.holding import Holding
from hetc.passes.lower_hls.kernel import KernelBuilder
from hetc.passes.lower_hls.lanes import assign_lanes, rounds_of
from hetc.passes.lower_hls.products import exact_sums
from hetc.passes.lower_hls.readers import Channel, Readers
from hetc.passes.lower_hls.reductions import identity
from hetc.passes.lower_hls.refusal import refuse
from hetc.passes.lower_hls.regions import RegionLowering
from hetc.passes.lower_hls.rounds import RoundLoop
from hetc.passes.lower_hls.scan import Scan
from hetc.passes.lower_hls.scores import marked, stream_type
from hetc.passes.lower_hls.selection import Selecting
from hetc.passes.lower_hls.statements import Nest, open_nest
from hetc.passes.lower_hls.words import WordView


def lower_scan(kernel: KernelBuilder, scan: Scan) -> None:
    """Adds the loops over the free indices and the dataflow inside them to the kernel."""
    _Streaming(kernel, scan).build()


class _Streaming:
    """The dataflow of one scan under construction."""

    def __init__(self, kernel: KernelBuilder, scan: Scan):
        self.kernel, self.scan, self.op = kernel, scan, scan.op
        self.outer = kernel.region()  # indices and extents at the top of the kernel
        self.count = kernel.channels(scan)
        if self.count > 1 and scan.direct:
            raise refuse("a striped scan that also reads a tensor at random", scan.op)
        self.name = kernel.step_name(scan.op.results[0], "scan")
        self.top = kernel.body
        blocks = [scan.op.body.block, *(statement.body.block for statement in scan.fused.values())]
        self.lanes = assign_lanes(blocks, kernel.plan.lanes)
        self.rounds = rounds_of(scan.op, blocks, self.lanes)
        self.joined: dict[SSAValue, WordView] = {}
        self.exact = exact_sums(self.lanes, scan.on_chip)
        coded = {tensor for product in self.exact.values() for tensor in product.tensors}
        self.holding = Holding(kernel, scan, self.lanes, coded)

    def build(self) -> None:
        nest = open_nest(self.outer, self.kernel.body, self.op, range(len(self.op.ranges) - 1))
        self.top = nest.body
        rows = self._rows(nest.body)
        flow = Frame(self.name, self.op, fpga.DataflowOp)
        body = flow.body()
        channels = [self._channel(nest.body, rows, number) for number in range(self.count)]
        self.readers = Readers(self.kernel, self.op, self._free(), self.count)
        for streamed in self.scan.streamed:
            self.readers.build(body, streamed, channels, rows)
        for invariant in self.scan.invariants:
            self.holding.load(body, invariant, channels, self.readers)
        scores = self._scores(body, channels)
        if isinstance(self.op, ComputeOp):
            self._write(body, scores, rows)
        else:
            selecting = Selecting(self.kernel, self.op, self._free(), self.count)
            selecting.build(body, scores, channels)
        self._finish(flow, nest)

    def _finish(self, flow: Frame, nest: Nest) -> None:
        made = flow.finish(nest.body)
        close_conditions(made.block)
        copy_location(self.op, made)
        nest.close()

    # Rows and channels

    def _rows(self, body: Body) -> SSAValue:
        """How many elements the scan has, at the top of the kernel."""
        item = self.op.index_ranges[-1]
        per = None
        if item.per_position is not None:
            per = self.outer.value(self.op.body.block.args[item.per_position])
        return self.outer.extent(body, item.extent, per)

    def _channel(self, body: Body, rows: SSAValue, number: int) -> Channel:
        if self.count == 1:
            return Channel(0, self._first(body, 0), rows, {}, {})
        # Channel c has the rows c, c + count, ... below `rows`.
        raised = body.add(arith.AddiOp(rows, body.index(self.count - 1 - number))).result
        mine = body.add(arith.FloorDivSIOp(raised, body.index(self.count))).result
        mine.name_hint = f"rows_{number}"
        return Channel(number, self._first(body, number), mine, {}, {})

    @staticmethod
    def _first(body: Body, number: int) -> SSAValue:
        first = body.add(arith.ConstantOp(IntegerAttr(number, IndexType()))).result
        first.name_hint = "first"
        return first

    def _free(self) -> list[SSAValue]:
        return [self.outer.value(argument) for argument in self.op.body.block.args[:-1]]

    def _row(self, body: Body, index: SSAValue, first: SSAValue) -> SSAValue:
        """The scan's index of a channel's row."""
        if self.count == 1:
            return index
        scaled = body.add(arith.MuliOp(index, body.index(self.count))).result
        return body.add(arith.AddiOp(scaled, first)).result

    # Scores

    def _scores(self, body: Body, channels: list[Channel]) -> list[SSAValue]:
        """The process that evaluates the region on each row, once a channel; returns the streams of values."""
        wanted = "values" if isinstance(self.op, ComputeOp) else "scores"
        streams = [
            self.readers.stream(body, self.readers.numbered(wanted, channel.number), stream_type(self.op))
            for channel in channels
        ]
        if self.rounds is not None:
            for streamed in self.scan.streamed:
                self.readers.join(body, streamed, channels, self.joined)
        frame = self._score(body, channels[0], streams[0])
        for channel, stream in zip(channels[1:], streams[1:], strict=True):
            frame.repeat(body, {**channel.instead_of(channels[0]), streams[0]: stream})
        return streams

    def _score(self, body: Body, channel: Channel, stream: SSAValue) -> Frame:
        frame = Frame("evaluate", self.op)
        inner = frame.body()
        region = self._region(inner)
        self.holding.fill_invariants(inner, region, channel)
        rows = self.holding.declare_rows(inner, region)
        count = inner.use(channel.rows)
        if self.rounds is None:
            loop = inner.loop("row", count)
            row, filled = loop.index, loop.body
        else:
            rounds = self._open_rounds(inner, count)
            region.rounds, loop, row = rounds, rounds.loop, rounds.row
            filled = loop.body.when(rounds.is_first())
        for streamed in self.scan.streamed:
            view = self.joined.get(streamed.tensor) or self.kernel.views(streamed)[0]
            self.holding.fill_row(filled, streamed, rows[streamed.tensor], channel, view)
        index = self._row(loop.body, row, loop.body.use(channel.first))
        region.values[self.op.body.block.args[-1]] = index
        region.safe[index] = extent_key(self.op.index_ranges[-1].extent)
        value, present = region.lower(self.op.body.block, loop.body)
        value = marked(loop.body, value, present)
        finished = loop.body if region.rounds is None else loop.body.when(region.rounds.is_last())
        finished.add(fpga.WriteOp(value, finished.use(stream)))
        loop.close(region.rounds.following if region.rounds is not None else ())
        frame.finish(body)
        return frame

    def _open_rounds(self, inner: Body, rows: SSAValue) -> RoundLoop:
        assert self.rounds is not None
        op = self.rounds.op
        nothing = inner.constant(identity(op.kind.data, op.result.type), op.result.type)
        return RoundLoop.open(inner, self.rounds, rows, nothing, self.kernel.plan.accumulators)

    def _region(self, inner: Body) -> RegionLowering:
        """The lowering of the scan's region; extents that it needs come in by value."""
        region = self.kernel.region()
        region.lanes, region.exact = self.lanes, self.exact
        region.fused = dict(self.scan.fused)
        for argument, value in zip(self.op.body.block.args, self._free(), strict=False):
            region.values[argument] = inner.use(value)
            region.safe[region.values[argument]] = self.outer.safe[value]
        for dim, rows in region.per.items():
            holders = [None] if rows is None else [v for v in self._free() if self.outer.safe[v] == rows]
            for per in holders:
                key = ("extent", dim, None if per is None else inner.use(per))
                if key not in inner.cache and self._needs(dim):
                    inner.cache[key] = inner.use(self.outer.extent(self.top, DimAttr(dim), per))
        return region

    def _needs(self, dim: str) -> bool:
        """Whether the region asks for the extent of a dim."""
        blocks = [self.op.body.block, *(statement.body.block for statement in self.scan.fused.values())]
        for block in blocks:
            for op in block.walk():
                named = op.range.extent if isinstance(op, ReduceOp) else None
                if named == DimAttr(dim) or (op.name == "mp.dim_size" and op.dim.data == dim):  # type: ignore[attr-defined]
                    return True
        return False

    # Values that are kept

    def _write(self, body: Body, values: list[SSAValue], rows: SSAValue) -> None:
        """Every value to its place in the results, in the scan's order."""
        frame = Frame("write", self.op)
        inner = frame.body()
        free = [inner.use(value) for value in self._free()]
        if self.count == 1:
            loop = inner.loop("row", inner.use(rows))
            self._store(loop.body, values[0], [*free, loop.index])
            loop.close()
        else:
            upper = inner.add(arith.AddiOp(inner.use(rows), inner.index(self.count - 1))).result
            rounds = inner.add(arith.FloorDivSIOp(upper, inner.index(self.count))).result
            loop = inner.loop("round", rounds)
            for number, stream in enumerate(values):
                row = self._row(loop.body, loop.index, loop.body.index(number))
                inside = loop.body.when(loop.body.compare("slt", row, loop.body.use(rows)))
                self._store(inside, stream, [*free, row])
            loop.close()
            close_conditions(frame.block)
        frame.finish(body)

    def _store(self, body: Body, stream: SSAValue, indices: list[SSAValue]) -> None:
        value = body.add(fpga.ReadOp(body.use(stream))).result
        for home in self.kernel.result_homes(self.op.results[0]):
            home.store(body, value, indices)  # type: ignore[union-attr]
