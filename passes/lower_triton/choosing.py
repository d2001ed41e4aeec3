"""The launch of a selection that takes the entries: one program for each row.

It finds the key of the last entry taken, eight bits at a time from histograms, and then packs the entries above it,
and as many of its equals as fit, in index order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects import arith
from xdsl.dialects.builtin import i32
from xdsl.ir import SSAValue

from hetc.dialects import tile
from hetc.dialects.mp import RangedOp, YieldOp, extent_key
from hetc.dialects.tile import Shape
from hetc.passes.lower_triton.arguments import Buffer, element_bound, flat_offset
from hetc.passes.lower_triton.builder import TileBuilder, named, tile_element
from hetc.passes.lower_triton.keys import KeyFormat
from hetc.passes.lower_triton.statement import Launch

_BINS = 256


@dataclass
class Selection:
    """Which entries to take for each row, and where they go. indices, scores, overflow: buffers, or None where
    nothing uses them. keys: where the scores' keys were written, or None where they are computed on the spot."""

    op: RangedOp
    count: int
    format: KeyFormat
    indices: Buffer | None
    scores: Buffer | None = None
    overflow: Buffer | None = None
    keys: Buffer | None = None
    chosen_keys: Buffer | None = None

    @property
    def free(self) -> list[SSAValue]:
        return list(self.op.body.block.args[:-1])

    @property
    def index(self) -> SSAValue:
        return self.op.body.block.args[-1]


def key_of(launch: Launch, selection: Selection) -> SSAValue:
    """The key of what the region yields."""
    yielded = selection.op.yielded
    region = launch.region
    return selection.format.key(launch.builder, region.values[yielded.value], region.present(yielded.present))


class Chooser:
    """The body of the choosing launch."""

    def __init__(self, launch: Launch, selection: Selection, size: int):
        self.launch, self.selection, self.size = launch, selection, size
        self.builder: TileBuilder = launch.builder
        self.shape: Shape = (size,)

    def run(self) -> None:
        region, selection = self.launch.region, self.selection
        if selection.keys is None:
            region.hoist(selection.op.body.block)
        self.limit = self.entries()
        threshold, equals = self._threshold()
        taken = self._pack(threshold, equals)
        self._fill_tail(taken)

    def length(self) -> SSAValue:
        """The live length of the row."""
        item = self.selection.op.index_ranges[-1]
        extent = extent_key(item.extent)
        if isinstance(extent, int):
            return self.builder.constant(extent)
        per = None if item.per_position is None else self.selection.op.body.block.args[item.per_position]
        return self.launch.region.extent(extent, per)

    def entries(self) -> SSAValue:
        """How many entries this program chooses from."""
        return self.length()

    def position(self, entry: SSAValue) -> SSAValue:
        """Where in the row an entry stands."""
        return entry

    def end(self) -> SSAValue:
        """How many places there are for the taken ones."""
        return self.builder.constant(self.selection.count)

    def load(self, buffer: Buffer, position: SSAValue, mask: SSAValue) -> SSAValue:
        """Elements of the row in a buffer over the free indices and the row's own."""
        builder, region = self.builder, self.launch.region
        indices = [*(region.values[index] for index in self.selection.free), position]
        bound = element_bound(buffer.type, self.launch.arguments.dims)
        offset = flat_offset(builder, self.launch.arguments, buffer.type.shape, indices, bound)
        return builder.load(self.launch.arguments.pointer(buffer), offset, mask)

    def _tile(self, start: SSAValue) -> tuple[SSAValue, SSAValue, SSAValue]:
        """Position, whether it lies within the row, and key of a tile of entries."""
        builder, selection, region = self.builder, self.selection, self.launch.region
        lane = region.lane(selection.index)
        entry = builder.binary(arith.AddiOp, start, lane)
        inside = builder.compare("lt", entry, self.limit)
        position = named(self.position(entry), selection.index.name_hint)
        if selection.keys is not None:
            key = self.load(selection.keys, position, inside)
        else:
            outside = dict(region.values)
            region.bind(selection.index, position, inside)
            for op in selection.op.body.block.ops:
                if not isinstance(op, YieldOp):
                    region.lower(op)
            key = key_of(self.launch, selection)
            region.values = outside
        return position, inside, named(builder.where(inside, key, selection.format.absent), "key")

    def _threshold(self) -> tuple[SSAValue, SSAValue]:
        """The key of the last entry taken, and how many of its equals are; the absent key where all fit."""
        builder, format_ = self.builder, self.selection.format
        remaining = builder.constant(self.selection.count)
        prefix: SSAValue | None = None
        for shift in range(format_.bits - 8, -1, -8):
            counts = self._histogram(prefix, shift)
            bins = builder.add(tile.RangeOp((2 * _BINS,), 0))
            counted = builder.where(builder.compare("lt", bins, _BINS), counts, 0)
            total = builder.add(tile.ReduceOp("sum", counted, 0))
            above = builder.binary(arith.SubiOp, total, builder.add(tile.CumsumOp(counted, 0)))
            reached = builder.compare("ge", builder.binary(arith.AddiOp, above, counted), remaining)
            candidate = builder.where(reached, bins, 0)  # never a bin past the digits: nothing is counted there
            chosen = named(builder.add(tile.ReduceOp("max", candidate, 0)), "digit")
            at = builder.compare("eq", bins, chosen)
            better = builder.add(tile.ReduceOp("sum", builder.where(at, above, 0), 0))
            remaining = named(builder.binary(arith.SubiOp, remaining, better), "remaining")
            digit = builder.cast(chosen, format_.element)
            if prefix is not None:
                digit = builder.binary(arith.OrIOp, builder.binary(arith.ShLIOp, prefix, 8), digit)
            prefix = digit
        assert prefix is not None
        threshold = builder.binary(arith.XOrIOp, prefix, format_.bias) if format_.bias else prefix
        return named(threshold, "threshold"), remaining

    def _histogram(self, prefix: SSAValue | None, shift: int) -> SSAValue:
        """How often each value of the digit at `shift` occurs among keys whose higher digits are `prefix`; the first
        digit has none above it."""
        builder, format_ = self.builder, self.selection.format

        def body(start: SSAValue, kept: list[SSAValue]) -> Sequence[SSAValue]:
            _, inside, key = self._tile(start)
            upper = format_.digit(builder, key, shift)
            same = inside
            if prefix is not None:
                above = builder.binary(arith.ShRUIOp, upper, 8)
                same = builder.binary(arith.AndIOp, inside, builder.compare("eq", above, prefix))
            digit = builder.cast(builder.binary(arith.AndIOp, upper, _BINS - 1), i32)
            digit = builder.where(same, digit, _BINS)
            counts = builder.add(tile.HistogramOp(builder.broadcast(digit, self.shape), 2 * _BINS))
            return [builder.binary(arith.AddiOp, kept[0], counts)]

        zeros = named(builder.broadcast(builder.constant(0), (2 * _BINS,)), "counts")
        return builder.loop(self.limit, self.size, [zeros], body, "start")[0]

    def _pack(self, threshold: SSAValue, equals: SSAValue) -> SSAValue:
        """Store the taken entries in index order; returns how many there are."""
        builder, selection = self.builder, self.selection
        absent = selection.format.absent
        some = builder.compare("ne", threshold, absent)
        equals = builder.where(some, equals, 0)

        def body(start: SSAValue, kept: list[SSAValue]) -> Sequence[SSAValue]:
            position, inside, key = self._tile(start)
            taken, ties, _ = kept
            equal = builder.cast(builder.both(inside, builder.compare("eq", key, threshold)), i32)  # type: ignore
            rank = builder.binary(arith.AddiOp, ties, builder.add(tile.CumsumOp(equal, 0)))
            tie = builder.both(builder.compare("ne", equal, 0), builder.compare("le", rank, equals))
            take = builder.binary(arith.OrIOp, builder.compare("gt", key, threshold), tie)  # type: ignore[arg-type]
            number = builder.cast(take, i32)
            place = builder.binary(arith.AddiOp, taken, builder.add(tile.CumsumOp(number, 0)))
            place = builder.binary(arith.SubiOp, place, 1)
            self._store(place, position, key, take)
            real = builder.cast(builder.compare("ne", key, absent), i32)
            sums = [builder.add(tile.ReduceOp("sum", part, 0)) for part in (number, equal, real)]
            return [builder.binary(arith.AddiOp, old, new) for old, new in zip(kept, sums, strict=True)]

        carried = [named(builder.constant(0), name) for name in ("taken", "ties", "candidates")]
        taken, _, candidates = builder.loop(self.limit, self.size, carried, body, "start")
        if selection.overflow is not None:
            rest = builder.binary(arith.MaxSIOp, builder.binary(arith.SubiOp, candidates, selection.count), 0)
            indices = [self.launch.region.values[index] for index in selection.free]
            self.launch.store(selection.overflow, indices, rest, None)
        return taken

    def _store(self, place: SSAValue, position: SSAValue, key: SSAValue, mask: SSAValue | None) -> None:
        selection, launch = self.selection, self.launch
        indices = [*(launch.region.values[index] for index in selection.free), self.position(place)]
        if selection.indices is not None:
            launch.store(selection.indices, indices, position, mask)
        if selection.scores is not None:
            launch.store(selection.scores, indices, selection.format.score(self.builder, key), mask)
        if selection.chosen_keys is not None:
            launch.store(selection.chosen_keys, indices, key, mask)

    def _fill_tail(self, taken: SSAValue) -> None:
        """-1, -inf and absent keys past the last entry taken."""
        builder, selection = self.builder, self.selection
        element = selection.format.element
        lowest = float("-inf") if element == i32 else -(2**31)
        end = self.end()

        def body(start: SSAValue, _: list[SSAValue]) -> Sequence[SSAValue]:
            lane = self.launch.region.lane(selection.index)
            place = builder.binary(arith.AddiOp, builder.binary(arith.AddiOp, taken, start), lane)
            mask = builder.compare("lt", place, end)
            indices = [*(self.launch.region.values[index] for index in selection.free), self.position(place)]
            fills = (
                (selection.indices, builder.constant(-1)),
                (selection.scores, builder.constant(lowest, tile_element(selection.op.yielded.value.type))),
                (selection.chosen_keys, builder.constant(selection.format.absent, element)),
            )
            for buffer, value in fills:
                if buffer is not None:
                    self.launch.store(buffer, indices, value, mask)
            return []

        builder.loop(builder.binary(arith.SubiOp, end, taken), self.size, [], body, "start")
