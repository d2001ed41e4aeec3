"""A scan as a dataflow: readers -> scores -> selection -> writer, for each combination of the free indices.

    read_keys_c   words of the rows of channel c, in bursts
    load_q        what the scan does not change, once, to every channel
    score_c       decodes a row and evaluates the statement's region on it
    select_c      the best of channel c          (of a top-k or a selection)
    merge         the best of all channels, to the results
    write         the values, to the results     (of a plain statement)

Row t is channel t modulo their number. All floats are summed in the same order whatever the FIFO depths.
"""

from __future__ import annotations

from math import prod

from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType, IntegerAttr
from xdsl.ir import Attribute, SSAValue

from hetc.dialects import fpga
from hetc.dialects.locations import copy_location
from hetc.dialects.mp import ComputeOp, DimAttr, ReduceOp, TensorType, compute_type, extent_key
from hetc.passes.lower_hls.builder import FLOAT_INFINITY, Body, Frame, Loop, close_conditions
from hetc.passes.lower_hls.kernel import KernelBuilder
from hetc.passes.lower_hls.lanes import assign_lanes, banks, on_chip_array
from hetc.passes.lower_hls.memory import OnChip, Sparse, Window
from hetc.passes.lower_hls.products import exact_sums
from hetc.passes.lower_hls.readers import Channel, Readers
from hetc.passes.lower_hls.refusal import refuse
from hetc.passes.lower_hls.regions import RegionLowering
from hetc.passes.lower_hls.scan import Invariant, Scan, Streamed
from hetc.passes.lower_hls.selection import Selecting
from hetc.passes.lower_hls.statements import Nest, open_nest

UNROLLED_WORDS = 8  # a row of more words is filled in a loop of its own


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
        self.exact = exact_sums(self.lanes, scan.on_chip)
        self.coded = {tensor for product in self.exact.values() for tensor in product.tensors}

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
            self._load(body, invariant, channels)
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
        for nested in made.walk():
            copy_location(self.op, nested)
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

    def _held(self, tensor: SSAValue) -> Attribute:
        """How a process holds the tensor's elements: as codes where exact sums are formed of them, else as values."""
        assert isinstance(tensor.type, TensorType)
        element = tensor.type.element
        return fpga.CodeType(element) if tensor in self.coded else compute_type(element)

    def _coded(self, body: Body, tensor: SSAValue, value: SSAValue) -> SSAValue:
        """A loaded value as the tensor is held."""
        assert isinstance(tensor.type, TensorType)
        return body.add(fpga.EncodeOp(value, tensor.type.element)).result if tensor in self.coded else value

    # What the scan does not change

    def _load(self, body: Body, invariant: Invariant, channels: list[Channel]) -> None:
        """One process that sends the tensor's part to every channel."""
        type_ = invariant.tensor.type
        home = self.kernel.homes[invariant.tensor]
        assert isinstance(type_, TensorType) and not isinstance(home, Sparse)
        name = invariant.tensor.name_hint or "value"
        for number, channel in enumerate(channels):
            element = self._held(invariant.tensor)
            channel.invariants[invariant.tensor] = self.readers.stream(
                body, self.readers.numbered(name, number), element
            )
        frame = Frame(f"load_{name}", self.op)
        inner = frame.body()
        free = self._free()
        places = {position: inner.use(free[number]) for position, number in invariant.fixed.items()}
        loops: list[Loop] = []
        for position in invariant.window:
            extent = type_.shape[position]
            assert isinstance(extent, int)
            loop = inner.loop(f"i{position}", inner.index(extent), most=extent)
            places[position] = loop.index
            loops.append(loop)
            inner = loop.body
        # A row of the batch that is not there is never asked for: the loops around run over live rows.
        value = home.load(inner, [places[position] for position in range(type_.rank)])
        value = self._coded(inner, invariant.tensor, value)
        for channel in channels:
            inner.add(fpga.WriteOp(value, inner.use(channel.invariants[invariant.tensor])))
        for loop in reversed(loops):
            loop.close()
        frame.finish(body)

    # Scores

    def _scores(self, body: Body, channels: list[Channel]) -> list[SSAValue]:
        """The process that evaluates the region on each row, once a channel; returns the streams of values."""
        value_type = self.op.yielded.value.type
        wanted = "values" if isinstance(self.op, ComputeOp) else "scores"
        streams = [
            self.readers.stream(body, self.readers.numbered(wanted, channel.number), value_type) for channel in channels
        ]
        frame = self._score(body, channels[0], streams[0])
        for channel, stream in zip(channels[1:], streams[1:], strict=True):
            frame.repeat(body, {**channel.instead_of(channels[0]), streams[0]: stream})
        return streams

    def _score(self, body: Body, channel: Channel, stream: SSAValue) -> Frame:
        value_type = self.op.yielded.value.type
        frame = Frame("evaluate", self.op)
        inner = frame.body()
        region = self._region(inner)
        self._fill_invariants(inner, region, channel)
        rows = self._declare_rows(inner, region)
        loop = inner.loop("row", inner.use(channel.rows))
        for streamed in self.scan.streamed:
            self._fill_row(loop.body, streamed, rows[streamed.tensor], channel)
        index = self._row(loop.body, loop.index, loop.body.use(channel.first))
        region.values[self.op.body.block.args[-1]] = index
        region.safe[index] = extent_key(self.op.index_ranges[-1].extent)
        value, present = region.lower(self.op.body.block, loop.body)
        if present is not None:
            value = loop.body.select(present, value, loop.body.constant(-FLOAT_INFINITY, value_type))
        loop.body.add(fpga.WriteOp(value, loop.body.use(stream)))
        loop.close()
        frame.finish(body)
        return frame

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

    def _fill_invariants(self, inner: Body, region: RegionLowering, channel: Channel) -> None:
        for invariant in self.scan.invariants:
            type_ = invariant.tensor.type
            assert isinstance(type_, TensorType)
            extents = [int(type_.shape[position]) for position in invariant.window]
            factors = banks(invariant.tensor, invariant.window, self.lanes)
            array = on_chip_array(inner, invariant.tensor, extents, self._held(invariant.tensor), factors)
            loops: list[Loop] = []
            body = inner
            for position, extent in zip(invariant.window, extents, strict=True):
                loop = body.loop(f"i{position}", body.index(extent), most=extent)
                loops.append(loop)
                body = loop.body
            value = body.add(fpga.ReadOp(body.use(channel.invariants[invariant.tensor]))).result
            OnChip(array, local=True).store(body, value, [loop.index for loop in loops])
            for loop in reversed(loops):
                loop.close()
            region.homes = {**region.homes, invariant.tensor: Window(OnChip(array, local=True), invariant.window)}

    def _declare_rows(self, inner: Body, region: RegionLowering) -> dict[SSAValue, SSAValue]:
        arrays = {}
        for streamed in self.scan.streamed:
            type_ = streamed.tensor.type
            assert isinstance(type_, TensorType)
            extents = [int(type_.shape[position]) for position in streamed.window]
            array = on_chip_array(inner, streamed.tensor, extents, self._held(streamed.tensor), None)
            arrays[streamed.tensor] = array
            region.homes = {**region.homes, streamed.tensor: Window(OnChip(array, local=True), streamed.window)}
        return arrays

    def _fill_row(self, body: Body, streamed: Streamed, array: SSAValue, channel: Channel) -> None:
        """The words of one row, decoded into registers."""
        (view, *_) = self.kernel.views(streamed)
        unroll = 0 if prod(view.steps) <= UNROLLED_WORDS else None
        loops: list[Loop] = []
        indices: list[SSAValue] = []
        for steps in view.steps:
            if steps == 1:
                indices.append(body.index(0))
                continue
            loop = body.loop("word", body.index(steps), unroll=unroll, most=steps)
            indices.append(loop.index)
            loops.append(loop)
            body = loop.body
        word = body.add(fpga.ReadOp(body.use(channel.words[streamed.tensor]))).result
        if view.lanes == 1:
            OnChip(array, local=True).store(body, self._coded(body, streamed.tensor, word), indices)
        else:
            lane = body.loop("lane", body.index(view.lanes), unroll=0, most=view.lanes)
            place = lane.index
            if view.steps[-1] > 1:
                base = lane.body.add(arith.MuliOp(indices[-1], lane.body.index(view.lanes))).result
                place = lane.body.add(arith.AddiOp(base, lane.index)).result
            value = lane.body.add(fpga.LaneOp(word, lane.index, coded=streamed.tensor in self.coded)).result
            OnChip(array, local=True).store(lane.body, value, [*indices[:-1], place])
            lane.close()
        for loop in reversed(loops):
            loop.close()

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
