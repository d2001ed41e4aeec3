"""Reads of sparse tensors: a binary search in a row, or a run over the row's stored entries.

A row is contiguous in the pool: `column[row_start[r] .. + row_length[r]]`, ascending, and `value` beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xdsl.dialects import arith
from xdsl.dialects.builtin import i32, i64
from xdsl.ir import SSAValue

from hetc.dialects.mp import ReadOp, ReadStoredOp, TensorType
from hetc.passes.lower_triton.arguments import Buffer
from hetc.passes.lower_triton.builder import Mask, named
from hetc.passes.lower_triton.convert import widened
from hetc.passes.schedule.gpu_dependencies import Indices
from hetc.passes.schedule.gpu_search import search_steps

if TYPE_CHECKING:
    from hetc.passes.lower_triton.region import Region


@dataclass(frozen=True)
class StoredRow:
    """One row of a sparse tensor for each line of a tile. start: i64; length: i32, 0 where there is no such row."""

    buffer: Buffer
    start: SSAValue
    length: SSAValue

    @classmethod
    def at(cls, region: Region, tensor: SSAValue, row: SSAValue, condition: Mask, lanes: Indices) -> StoredRow:
        """The row numbered `row` (a value of the statement's region), where `condition` holds."""
        builder, buffer = region.builder, region.buffers[tensor]
        number = region.values[row]
        mask = builder.both(region.lanes(lanes), condition)
        if row not in region.masks:
            mask = builder.both(mask, region.within(number, buffer.type.shape[0], None))
        start = builder.load(region.arguments.pointer(buffer, "row_start"), number, mask)
        length = builder.load(region.arguments.pointer(buffer, "row_length"), number, mask)
        return cls(buffer, named(start, "row_start"), named(length, "row_length"))

    @classmethod
    def of(cls, region: Region, read: ReadStoredOp) -> StoredRow:
        """The row that a reduction runs over (see dependencies.stored_row)."""
        row = read.indices[0]
        return cls.at(region, read.tensor, row, None, region.varying([row]))

    def load(self, region: Region, part: str, position: SSAValue, mask: Mask) -> SSAValue:
        """`column` or `value` of the entry at `position` of the row."""
        builder = region.builder
        offset = builder.binary(arith.AddiOp, self.start, builder.cast(position, i64))
        return builder.load(region.arguments.pointer(self.buffer, part), offset, mask)

    def bind(self, region: Region, read: ReadStoredOp, index: SSAValue, position: SSAValue, mask: Mask) -> None:
        """Bind a reduction's index to the columns of a tile of entries, and the read to their values."""
        builder = region.builder
        inside = builder.compare("lt", position, self.length) if mask is None else mask
        region.bind(index, self.load(region, "column", position, inside), inside)
        value = widened(builder, self.load(region, "value", position, inside), self.buffer.type.element)
        assert read.parent is not None
        for op in read.parent.ops:  # its condition stands before it
            if op is read:
                break
            region.lower(op)
        present = region.present(read.present)
        stored = builder.both(inside, present)
        assert stored is not None
        region.values[read.result] = named(builder.selected(present, value, 0), self.buffer.name)
        region.values[read.stored] = stored


def search_row(region: Region, op: ReadOp | ReadStoredOp) -> tuple[SSAValue, SSAValue]:
    """The value (0 where unstored) and whether it is stored, by binary search for the column in its row."""
    builder = region.builder
    type_ = op.tensor.type
    assert isinstance(type_, TensorType)
    row, column = op.indices
    used = [*op.indices, *([op.present] if op.present is not None else [])]
    varying = region.varying(used)
    entries = StoredRow.at(region, op.tensor, row, region.present(op.present), varying)
    shape = region.plan.shape(varying)
    wanted = builder.broadcast(region.values[column], shape)
    low = named(builder.broadcast(builder.constant(0, i32), shape), "low")
    high = named(builder.broadcast(entries.length, shape), "high")
    columns = type_.shape[1]
    most = columns if isinstance(columns, int) else region.arguments.dims[columns].largest

    def halve(_: SSAValue, bounds: list[SSAValue]) -> list[SSAValue]:
        low, high = bounds
        middle = builder.binary(arith.ShRSIOp, builder.binary(arith.AddiOp, low, high), 1)
        searching = builder.compare("lt", low, high)
        found = entries.load(region, "column", middle, searching)
        right = builder.both(searching, builder.compare("lt", found, wanted))
        left = builder.both(searching, builder.compare("ge", found, wanted))
        assert right is not None and left is not None
        past = builder.binary(arith.AddiOp, middle, 1)
        return [builder.where(right, past, low), builder.where(left, middle, high)]

    steps = builder.constant(search_steps(most))
    low, _ = builder.loop(steps, 1, [low, high], halve, "step")
    within = builder.compare("lt", low, entries.length)
    stored = builder.both(within, builder.compare("eq", entries.load(region, "column", low, within), wanted))
    assert stored is not None
    value = widened(builder, entries.load(region, "value", low, stored), type_.element)
    return value, stored
