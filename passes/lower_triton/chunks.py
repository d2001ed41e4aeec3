"""Selections over long rows: the best of each chunk, then the best of those.

A chunk's best stand, in index order, where the chunk begins in two buffers as long as the rows: keys and positions.
Absent keys fill up to as many entries as are taken, or to the chunk's end.
"""

from __future__ import annotations

from xdsl.dialects import arith
from xdsl.ir import SSAValue

from hetc.passes.lower_triton.arguments import Buffer
from hetc.passes.lower_triton.builder import named
from hetc.passes.lower_triton.choosing import Chooser, Selection
from hetc.passes.lower_triton.statement import Launch


class ChunkChooser(Chooser):
    """Chooses among the entries of the chunk that begins at `start`."""

    def __init__(self, launch: Launch, selection: Selection, size: int, start: SSAValue, chunk: int):
        super().__init__(launch, selection, size)
        self.start, self.chunk = start, chunk

    def entries(self) -> SSAValue:
        rest = self.builder.binary(arith.SubiOp, self.length(), self.start)
        return named(self.builder.binary(arith.MinSIOp, rest, self.chunk), "entries")

    def position(self, entry: SSAValue) -> SSAValue:
        return self.builder.binary(arith.AddiOp, self.start, entry)

    def end(self) -> SSAValue:
        return self.builder.binary(arith.MinSIOp, self.limit, self.selection.count)


class MergeChooser(Chooser):
    """Chooses among the best of all chunks: entry e is number e % count of chunk e // count. `positions` holds where
    in the row each of them was."""

    def __init__(self, launch: Launch, selection: Selection, size: int, positions: Buffer, chunk: int):
        super().__init__(launch, selection, size)
        self.positions, self.chunk = positions, chunk

    def entries(self) -> SSAValue:
        builder = self.builder
        self.row_length = self.length()
        chunk = builder.constant(self.chunk)
        chunks = builder.add(arith.DivSIOp(builder.add_(self.row_length, self.chunk - 1), chunk))
        return named(builder.multiply(chunks, self.selection.count), "entries")

    def _tile(self, start: SSAValue) -> tuple[SSAValue, SSAValue, SSAValue]:
        builder, selection = self.builder, self.selection
        assert selection.keys is not None
        entry = builder.binary(arith.AddiOp, start, self.launch.region.lane(selection.index))
        number = builder.binary(arith.DivSIOp, entry, selection.count)
        rest = builder.binary(arith.RemSIOp, entry, selection.count)
        place = named(builder.binary(arith.AddiOp, builder.multiply(number, self.chunk), rest), "place")
        in_entries = builder.compare("lt", entry, self.limit)
        inside = builder.both(in_entries, builder.compare("lt", place, self.row_length))
        assert inside is not None
        key = builder.where(inside, self.load(selection.keys, place, inside), selection.format.absent)
        return self.load(self.positions, place, inside), inside, named(key, "key")
