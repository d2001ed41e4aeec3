"""Where tensors live while a kernel runs, and how an element of one is read and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdsl.ir import SSAValue

from hetc.dialects import fpga
from hetc.passes.lower_hls.builder import Body
from hetc.passes.lower_hls.rows import PlacedRows

Shape = tuple[int | str, ...]


@dataclass(frozen=True)
class Memory:
    """A dense tensor in device memory, row-major over capacities. `capacities` gives the kernel's value for each
    run-time dim."""

    pointer: SSAValue
    shape: Shape
    capacities: Mapping[str, SSAValue]

    def _extents(self, body: Body) -> list[SSAValue]:
        return [
            body.index(extent) if isinstance(extent, int) else body.use(self.capacities[extent])
            for extent in self.shape[1:]
        ]

    def load(self, body: Body, indices: Sequence[SSAValue], present: SSAValue | None = None) -> SSAValue:
        pointer, inner = self._address(body, indices)
        return body.add(fpga.LoadOp(pointer, inner, self._extents(body), present)).result

    def store(self, body: Body, value: SSAValue, indices: Sequence[SSAValue], present: SSAValue | None = None) -> None:
        pointer, inner = self._address(body, indices)
        body.add(fpga.StoreOp(value, pointer, inner, self._extents(body), present))

    def _address(self, body: Body, indices: Sequence[SSAValue]) -> tuple[SSAValue, list[SSAValue]]:
        return body.use(self.pointer), list(indices) or [body.index(0)]


@dataclass(frozen=True)
class OnChip:
    """A tensor in an on-chip array of the same rank (one element for rank 0). A `local` array belongs to the process
    that uses it."""

    array: SSAValue
    local: bool = False

    def _array(self, body: Body) -> SSAValue:
        return self.array if self.local else body.use(self.array)

    def load(self, body: Body, indices: Sequence[SSAValue], present: SSAValue | None = None) -> SSAValue:
        value = self.load_code(body, indices, present)
        return body.add(fpga.DecodeOp(value)).result if isinstance(value.type, fpga.CodeType) else value

    def load_code(self, body: Body, indices: Sequence[SSAValue], present: SSAValue | None = None) -> SSAValue:
        """What the array holds: a value, or an element's code (of 0 where absent)."""
        return body.add(fpga.LoadOp(self._array(body), list(indices) or [body.index(0)], (), present)).result

    def store(self, body: Body, value: SSAValue, indices: Sequence[SSAValue], present: SSAValue | None = None) -> None:
        body.add(fpga.StoreOp(value, self._array(body), list(indices) or [body.index(0)], (), present))


@dataclass(frozen=True)
class Window:
    """The part of a tensor that a process holds: some indices are known to be those of the part, the others (by
    position in `kept`) address the array."""

    array: OnChip
    kept: tuple[int, ...]

    def load(self, body: Body, indices: Sequence[SSAValue], present: SSAValue | None = None) -> SSAValue:
        return self.array.load(body, [indices[position] for position in self.kept], present)

    def load_code(self, body: Body, indices: Sequence[SSAValue]) -> SSAValue:
        return self.array.load_code(body, [indices[position] for position in self.kept])


Dense = Memory | OnChip | Window | PlacedRows


@dataclass(frozen=True)
class Sparse:
    """A tensor compressed along its first dim: for each row a slice of the pool, columns ascending."""

    row_start: SSAValue
    row_length: SSAValue
    column: SSAValue
    value: SSAValue

    def row(self, body: Body, row: SSAValue, present: SSAValue | None) -> tuple[SSAValue, SSAValue]:
        """Where the row begins in the pool (i64) and how many entries it has (0 where absent)."""

        def load(pointer: SSAValue) -> SSAValue:
            return body.add(fpga.LoadOp(body.use(pointer), [row], (), present)).result

        start = body.once(("row_start", self.row_start, row, present), lambda: load(self.row_start))
        length = body.once(("row_length", self.row_length, row, present), lambda: load(self.row_length))
        return start, length

    def entry_value(self, body: Body, start: SSAValue, offset: SSAValue, present: SSAValue | None) -> SSAValue:
        return self._entry(body, self.value, start, offset, present)

    def entry_column(self, body: Body, start: SSAValue, offset: SSAValue) -> SSAValue:
        return self._entry(body, self.column, start, offset, None)

    def _entry(
        self, body: Body, pointer: SSAValue, start: SSAValue, offset: SSAValue, present: SSAValue | None
    ) -> SSAValue:
        return body.add(fpga.LoadAtOp(body.use(pointer), start, offset, present)).result

    def find(self, body: Body, row: SSAValue, column: SSAValue, present: SSAValue | None) -> tuple[SSAValue, SSAValue]:
        """An element's value (0 where unstored) and whether it is stored, by binary search in its row."""
        start, length = self.row(body, row, present)
        below = body.add(fpga.LowerBoundOp(body.use(self.column), start, length, column)).result
        inside = body.compare("slt", below, length)
        found = body.add(fpga.LoadAtOp(body.use(self.column), start, below, inside)).result
        stored = body.both(inside, body.compare("eq", found, column))
        assert stored is not None
        return body.add(fpga.LoadAtOp(body.use(self.value), start, below, stored)).result, stored
