"""The front of a scan: processes that read rows of device memory in bursts, as words, into FIFOs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from xdsl.dialects import arith
from xdsl.ir import Attribute, Operation, SSAValue

from hetc.dialects import fpga
from hetc.dialects.mp import TensorType, storage_bits
from hetc.passes.lower_hls.builder import Body, Frame, Loop, close_conditions
from hetc.passes.lower_hls.kernel import KernelBuilder
from hetc.passes.lower_hls.memory import Memory
from hetc.passes.lower_hls.rows import PlacedRows
from hetc.passes.lower_hls.scan import Streamed
from hetc.passes.lower_hls.words import WordView, joins, word_element

JOINED_DEPTH = 2  # rows between their words and their use


@dataclass
class Channel:
    """One channel's part: which rows, and the streams that reach its scores."""

    number: int
    first: SSAValue
    rows: SSAValue
    words: dict[SSAValue, SSAValue]
    invariants: dict[SSAValue, SSAValue]

    def instead_of(self, other: Channel) -> dict[SSAValue, SSAValue]:
        """This channel's values for the other's."""
        pairs = {other.first: self.first, other.rows: self.rows}
        pairs.update({stream: self.words[tensor] for tensor, stream in other.words.items()})
        pairs.update({stream: self.invariants[tensor] for tensor, stream in other.invariants.items()})
        return pairs


class Readers:
    """Builds the readers of one scan. `free` are the scan's free indices at the top of the kernel."""

    def __init__(self, kernel: KernelBuilder, op: Operation, free: Sequence[SSAValue], count: int):
        self.kernel, self.op, self.free, self.count = kernel, op, free, count

    def stream(self, body: Body, wanted: str, element: Attribute, words: int = 1) -> SSAValue:
        depth = max(self.kernel.plan.fifo_depth * words, 2)
        return body.add(fpga.StreamOp(wanted, depth, element)).result

    def numbered(self, name: str, number: int) -> str:
        return name if self.count == 1 else f"{name}_{number}"

    def build(self, body: Body, streamed: Streamed, channels: list[Channel], rows: SSAValue) -> None:
        """The processes that read a tensor: one a channel where it is striped, else one that deals rows out."""
        views = self.kernel.views(streamed)
        name = streamed.tensor.name_hint or "rows"
        per_row = prod(views[0].steps) if views[0].steps else 1
        for number, channel in enumerate(channels):
            stream = self.stream(
                body, self.numbered(f"{name}_words", number), fpga.value_type(views[0].element), per_row
            )
            channel.words[streamed.tensor] = stream
        if len(views) == self.count:
            self._read_channels(body, streamed, views, channels)
        else:
            self._deal(body, streamed, views[0], channels, rows)

    def _read_channels(
        self, body: Body, streamed: Streamed, views: Sequence[WordView], channels: Sequence[Channel]
    ) -> None:
        """One process for the first channel, instances of it for the others."""
        frame = Frame(f"read_{streamed.tensor.name_hint or 'rows'}", self.op)
        inner = frame.body()
        first = channels[0]
        loop = inner.loop("row", inner.use(first.rows))
        self._row_words(loop.body, streamed, views[0], loop.index, loop.body.use(first.words[streamed.tensor]))
        loop.close()
        frame.finish(body)
        for view, channel in zip(views[1:], channels[1:], strict=True):
            assert isinstance(views[0].memory, Memory) and isinstance(view.memory, Memory)
            frame.repeat(body, {**channel.instead_of(first), views[0].memory.pointer: view.memory.pointer})

    def _deal(self, body: Body, streamed: Streamed, view: WordView, channels: list[Channel], rows: SSAValue) -> None:
        frame = Frame(f"read_{streamed.tensor.name_hint or 'rows'}", self.op)
        inner = frame.body()
        loop = inner.loop("round", inner.use(channels[0].rows))
        for number, channel in enumerate(channels):
            scaled = loop.body.add(arith.MuliOp(loop.index, loop.body.index(self.count))).result
            row = loop.body.add(arith.AddiOp(scaled, loop.body.index(number))).result
            inside = loop.body.when(loop.body.compare("slt", row, loop.body.use(rows)))
            self._row_words(inside, streamed, view, row, inside.use(channel.words[streamed.tensor]))
        loop.close()
        close_conditions(frame.block)
        frame.finish(body)

    def join(self, body: Body, streamed: Streamed, channels: list[Channel], joined: dict[SSAValue, WordView]) -> None:
        """A process a channel that puts a row's words side by side, so that the row is taken in one cycle."""
        view = self.kernel.views(streamed)[0]
        type_ = streamed.tensor.type
        assert isinstance(type_, TensorType)
        if not joins(view.steps, storage_bits(type_.element), view.lanes):
            return
        name, count = streamed.tensor.name_hint or "rows", prod(view.steps)
        element = word_element(type_, count * view.lanes)
        joined[streamed.tensor] = WordView(view.memory, element, count * view.lanes, (1,) * len(view.steps))
        words = [channel.words[streamed.tensor] for channel in channels]
        for channel in channels:
            wanted = self.numbered(f"{name}_rows", channel.number)
            channel.words[streamed.tensor] = body.add(fpga.StreamOp(wanted, JOINED_DEPTH, element)).result
        frame = Frame(f"join_{name}", self.op)
        inner = frame.body()
        loop = inner.loop("row", inner.use(channels[0].rows))
        parts = [loop.body.add(fpga.ReadOp(loop.body.use(words[0]))).result for _ in range(count)]
        row = loop.body.add(fpga.JoinOp(parts)).result
        loop.body.add(fpga.WriteOp(row, loop.body.use(channels[0].words[streamed.tensor])))
        loop.close()
        frame.finish(body)
        for channel, stream in zip(channels[1:], words[1:], strict=True):
            frame.repeat(body, {**channel.instead_of(channels[0]), words[0]: stream})

    def _row_words(self, body: Body, streamed: Streamed, view: WordView, row: SSAValue, stream: SSAValue) -> None:
        """One row's words into a stream."""
        places: dict[int, SSAValue] = {streamed.position: row}
        free = self.free
        for position, number in streamed.fixed.items():
            places[position] = body.use(free[number])
        if isinstance(view.memory, PlacedRows):
            view.memory.row(body, [places[position] for position in sorted(places)])
        loops: list[Loop] = []
        for position, steps in zip(streamed.window, view.steps, strict=True):
            if steps == 1:
                places[position] = body.index(0)
                continue
            loop = body.loop("word", body.index(steps), most=steps)
            places[position] = loop.index
            loops.append(loop)
            body = loop.body
        word = view.memory.load(body, [places[position] for position in sorted(places)])
        body.add(fpga.WriteOp(word, body.use(stream)))
        for loop in reversed(loops):
            loop.close()
