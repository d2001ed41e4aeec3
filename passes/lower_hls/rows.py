"""Operands whose rows lie by strides or in pages (see mp.rows): where an element is, and how wide a port may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdsl.dialects import arith
from xdsl.dialects.builtin import i64
from xdsl.ir import SSAValue

from hetc.dialects import fpga
from hetc.dialects.mp import RowsAttr
from hetc.passes.lower_hls.builder import Body

Shape = tuple[int | str, ...]


@dataclass(frozen=True)
class PlacedRows:
    """`shape` and `rows` count what the pointer points to: elements, or words of them. `axis`: the dim whose indices
    are rows. `table`: the pages' numbers, where there are pages."""

    pointer: SSAValue
    table: SSAValue | None
    shape: Shape
    axis: int
    rows: RowsAttr
    capacities: Mapping[str, SSAValue]

    def load(self, body: Body, indices: Sequence[SSAValue], present: SSAValue | None = None) -> SSAValue:
        start = self.row(body, indices[: self.axis + 1], present)
        inner = self._flat(body, self.shape[self.axis + 1 :], indices[self.axis + 1 :]) or body.index(0)
        return body.add(fpga.LoadAtOp(body.use(self.pointer), start, inner, present)).result

    def row(self, body: Body, indices: Sequence[SSAValue], present: SSAValue | None = None) -> SSAValue:
        """Where a row begins (i64: a pool of pages may be larger than 32 bits reach); worked out once for all of its
        elements."""
        key = ("row", self.pointer, *indices, present)
        return body.once(key, lambda: self._row(body, indices, present))

    def _row(self, body: Body, indices: Sequence[SSAValue], present: SSAValue | None) -> SSAValue:
        rows = self.rows
        if self.table is None:
            wide = [self._wide(body, index) for index in indices]
            number = self._flat(body, self.shape[: self.axis + 1], wide)
            assert number is not None
            return self._plus(body, self._times(body, number, rows.row.data), rows.offset.data)
        block = body.index(rows.block.data)
        place = indices[-1]
        entry = body.add(arith.FloorDivSIOp(place, block)).result
        pages = self._pages(body) if self.axis else []
        page = body.add(fpga.LoadOp(body.use(self.table), [*indices[:-1], entry], pages, present)).result
        page.name_hint = "page"
        slot = body.add(arith.SubiOp(place, body.add(arith.MuliOp(entry, block)).result)).result
        begin = self._times(body, self._wide(body, page), rows.page.data)
        begin = body.add(arith.AddiOp(begin, self._times(body, self._wide(body, slot), rows.row.data))).result
        return self._plus(body, begin, rows.offset.data)

    def _pages(self, body: Body) -> list[SSAValue]:
        """How many entries the table has for each sequence."""
        dim, block = self.shape[self.axis], self.rows.block.data
        assert isinstance(dim, str)

        def count() -> SSAValue:
            raised = body.add(arith.AddiOp(body.use(self.capacities[dim]), body.index(block - 1))).result
            return body.add(arith.FloorDivSIOp(raised, body.index(block))).result

        return [body.once(("pages", dim, block), count)]

    def _flat(self, body: Body, shape: Shape, indices: Sequence[SSAValue]) -> SSAValue | None:
        """Row-major, in the type of the indices; None without any."""
        place: SSAValue | None = None
        for extent, index in zip(shape, indices, strict=True):
            if place is None:
                place = index
                continue
            size = body.index(extent) if isinstance(extent, int) else body.use(self.capacities[extent])
            size = self._wide(body, size) if place.type == i64 else size
            place = body.add(arith.AddiOp(body.add(arith.MuliOp(place, size)).result, index)).result
        return place

    def _times(self, body: Body, value: SSAValue, factor: int) -> SSAValue:
        return value if factor == 1 else body.add(arith.MuliOp(value, body.constant(factor, i64))).result

    def _wide(self, body: Body, value: SSAValue) -> SSAValue:
        return body.add(arith.IndexCastOp(value, i64)).result

    def _plus(self, body: Body, value: SSAValue, shift: int) -> SSAValue:
        return value if shift == 0 else body.add(arith.AddiOp(value, body.constant(shift, i64))).result


def in_words(rows: RowsAttr, lanes: int) -> RowsAttr:
    """The same distances in words of so many elements, which divide them all."""
    return RowsAttr(rows.row.data // lanes, rows.offset.data // lanes, rows.block, rows.page.data // lanes)


def divides(rows: RowsAttr, lanes: int) -> bool:
    """Whether every row begins on a word of so many elements."""
    return all(item.data % lanes == 0 for item in (rows.row, rows.offset, rows.page))
