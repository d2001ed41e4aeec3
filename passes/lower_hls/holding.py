"""What the evaluating process of a scan holds on chip: the row that passes by, and what the scan does not change.

Elements that exact sums are formed of are held as codes, others as values.
"""

from __future__ import annotations

from collections.abc import Collection
from math import prod

from xdsl.dialects import arith
from xdsl.ir import Attribute, SSAValue

from hetc.dialects import fpga
from hetc.dialects.mp import ReduceOp, TensorType, compute_type
from hetc.passes.lower_hls.builder import Body, Frame, Loop
from hetc.passes.lower_hls.kernel import KernelBuilder
from hetc.passes.lower_hls.lanes import banks, on_chip_array
from hetc.passes.lower_hls.memory import OnChip, Sparse, Window
from hetc.passes.lower_hls.readers import Channel, Readers
from hetc.passes.lower_hls.regions import RegionLowering
from hetc.passes.lower_hls.scan import Invariant, Scan, Streamed
from hetc.passes.lower_hls.words import WordView

UNROLLED_WORDS = 8  # a row of more words is filled in a loop of its own


class Holding:
    """Builds the loads of one scan. `coded` are the tensors that are held as codes."""

    def __init__(self, kernel: KernelBuilder, scan: Scan, lanes: dict[ReduceOp, int], coded: Collection[SSAValue]):
        self.kernel, self.scan, self.lanes, self.coded = kernel, scan, lanes, coded

    def _held(self, tensor: SSAValue) -> Attribute:
        """How a process holds the tensor's elements: as codes where exact sums are formed of them, else as values."""
        assert isinstance(tensor.type, TensorType)
        element = tensor.type.element
        return fpga.CodeType(element) if tensor in self.coded else compute_type(element)

    def _coded(self, body: Body, tensor: SSAValue, value: SSAValue) -> SSAValue:
        """A loaded value as the tensor is held."""
        assert isinstance(tensor.type, TensorType)
        return body.add(fpga.EncodeOp(value, tensor.type.element)).result if tensor in self.coded else value

    def load(self, body: Body, invariant: Invariant, channels: list[Channel], readers: Readers) -> None:
        """One process that sends the tensor's part to every channel."""
        type_ = invariant.tensor.type
        home = self.kernel.homes[invariant.tensor]
        assert isinstance(type_, TensorType) and not isinstance(home, Sparse)
        name = invariant.tensor.name_hint or "value"
        for number, channel in enumerate(channels):
            element = self._held(invariant.tensor)
            channel.invariants[invariant.tensor] = readers.stream(body, readers.numbered(name, number), element)
        frame = Frame(f"load_{name}", self.scan.op)
        inner = frame.body()
        free = readers.free
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

    def fill_invariants(self, inner: Body, region: RegionLowering, channel: Channel) -> None:
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

    def declare_rows(self, inner: Body, region: RegionLowering) -> dict[SSAValue, SSAValue]:
        arrays = {}
        for streamed in self.scan.streamed:
            type_ = streamed.tensor.type
            assert isinstance(type_, TensorType)
            extents = [int(type_.shape[position]) for position in streamed.window]
            array = on_chip_array(inner, streamed.tensor, extents, self._held(streamed.tensor), None)
            arrays[streamed.tensor] = array
            region.homes = {**region.homes, streamed.tensor: Window(OnChip(array, local=True), streamed.window)}
        return arrays

    def fill_row(self, body: Body, streamed: Streamed, array: SSAValue, channel: Channel, view: WordView) -> None:
        """The words of one row, decoded into registers."""
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
