"""Tensors on devices: dense buffers, possibly striped over memory channels, and the four parts of sparse ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import gcd, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetc.footprint import stripe_elements
from hetc.runtime.devices import Device
from hetc.runtime.elements import host_dtype
from hetc.runtime.pages import Placement
from hetc.runtime.regions import Extents, Rows, as_numbers, as_slice, row_count, row_elements

SPARSE_PARTS = ("row_start", "row_length", "column", "value")


@dataclass(frozen=True)
class Stripes:
    """Row t along `axis` lies in channel t % channels at local row t // channels."""

    channels: int
    axis: int


@dataclass(eq=False)
class Buffer:
    """A dense tensor on a device, row-major with `shape` counting capacities.

    `arrays` is the device's array, or one for each stripe. `memory` is the name of the memory whose rows lie here,
    "" for a value that is not (or no longer) a memory's own buffer. `layers`: which part of the tensor `name` this is,
    by the indices of its first extents; () for all of it. `placement`: where rows lie, None for row-major. `frozen`:
    of a weight, its values stay from call to call. `place`: where in the workspace it lies (see there), None for what
    is not of a call's own.
    """

    device: Device
    extents: Extents
    shape: tuple[int, ...]
    element: str
    arrays: tuple[Any, ...]
    stripes: Stripes | None = None
    memory: str = ""
    name: str = ""
    layers: tuple[int, ...] = ()
    placement: Placement | None = None
    frozen: bool = False
    place: tuple[str, int | str, int] | None = None

    def part(self, name: str) -> Any:
        """What a kernel is passed beside the elements: the table of pages."""
        assert name == "table" and self.placement is not None and self.placement.table is not None
        return self.placement.table.on(self.device)

    @property
    def array(self) -> Any:
        """The array of a buffer that is not striped."""
        assert self.stripes is None, f"{self.name} is striped"
        return self.arrays[0]

    @cached_property
    def row_elements(self) -> int:
        return row_elements(self.extents)

    @cached_property
    def row_major(self) -> bool:
        """Whether it lies in one array, row after row."""
        return self.stripes is None and self.placement is None

    def write_rows(self, rows: Rows, values: NDArray, width: int = 0) -> None:
        """Write host values [rows, width]. Here and below rows are counted row-major over capacities, and are of
        `row_elements` elements unless `width` says otherwise: then it divides that number."""
        width = width or self.row_elements
        if self.row_major:
            self.device.write(self.arrays[0], as_slice(rows), values.reshape(-1, width))
            return
        for array, chosen, numbers, unit in self._parts(as_numbers(rows), width):
            part = values.reshape(-1, unit)
            self.device.write(array, as_slice(numbers), part if chosen is None else part[chosen])

    def read_rows(self, rows: Rows, width: int = 0) -> NDArray:
        """Rows as a host array of its own [rows, width]."""
        width = width or self.row_elements
        if self.row_major:
            return self.device.read(self.arrays[0], as_slice(rows), width)
        parts = self._parts(as_numbers(rows), width)
        if self.stripes is None:
            ((array, _, numbers, unit),) = parts
            return self.device.read(array, as_slice(numbers), unit).reshape(-1, width)
        values = np.empty((row_count(rows), width), host_dtype(self.element))
        for array, chosen, numbers, unit in parts:
            values.reshape(-1, unit)[chosen] = self.device.read(array, as_slice(numbers), unit)
        return values

    def copy_rows(self, rows: Rows, source: Buffer, source_rows: Rows, width: int = 0) -> None:
        """Copy rows, of this buffer's size unless said, from a buffer on this or another device."""
        width, beside = width or self.row_elements, source.device is self.device
        if beside and self.row_major and source.row_major:
            self.device.copy(source.arrays[0], as_slice(source_rows), self.arrays[0], as_slice(rows), width)
        elif beside and self.stripes is None and source.stripes is None:
            unit = gcd(width, self._unit, source._unit)
            numbers = self._units(as_numbers(rows), unit, width)
            source_numbers = source._units(as_numbers(source_rows), unit, width)
            self.device.copy(source.arrays[0], as_slice(source_numbers), self.arrays[0], as_slice(numbers), unit)
        elif row_count(rows):
            self.write_rows(rows, source.read_rows(source_rows, width), width)

    @property
    def _unit(self) -> int:
        """What all distances between rows are multiples of, apart from their size; 0 where rows are all there is."""
        if self.stripes is not None:
            return prod(self.shape[self.stripes.axis + 1 :])
        return 0 if self.placement is None else self.placement.rows.unit

    def _units(self, rows: NDArray[np.int64], unit: int, width: int) -> NDArray[np.int64]:
        """The numbers of the units of rows of `width` elements, one row after the other."""
        if self.placement is None:
            starts = rows * width
        else:
            pieces = self.row_elements // width
            starts = self.placement.starts(rows // pieces) + rows % pieces * width
        if unit == width:
            return starts // unit
        return (starts[:, None] // unit + np.arange(width // unit)).reshape(-1)

    def _parts(
        self, rows: NDArray[np.int64], width: int
    ) -> list[tuple[Any, NDArray[np.bool_] | None, NDArray[np.int64], int]]:
        """(array, which of the rows' units it holds, their numbers in it, the size of a unit) for each channel that
        holds any."""
        unit = gcd(width, self._unit)
        numbers = self._units(rows, unit, width)
        if self.stripes is None:
            return [(self.arrays[0], None, numbers, unit)]
        channels, extent, inner = self.stripes.channels, self.shape[self.stripes.axis], self._unit // unit
        position = numbers // inner % extent
        local = (numbers // inner // extent * -(-extent // channels) + position // channels) * inner + numbers % inner
        found = []
        for channel, array in enumerate(self.arrays):
            chosen = position % channels == channel
            if chosen.any():
                found.append((array, chosen, local[chosen], unit))
        return found


def allocate(
    device: Device,
    extents: Extents,
    shape: Sequence[int],
    element: str,
    stripes: Stripes | None = None,
    fill: float = 0,
    name: str = "",
) -> Buffer:
    """A new buffer; `shape` gives each extent's capacity."""
    shape = tuple(int(item) for item in shape)
    if stripes is None:
        arrays = (device.allocate(prod(shape), element, fill),)
    else:
        local = stripe_elements(shape, stripes.channels, stripes.axis)
        arrays = tuple(device.allocate(local, element, fill) for _ in range(stripes.channels))
    return Buffer(device, extents, shape, element, arrays, stripes, name=name)


@dataclass(eq=False)
class SparseBuffer:
    """The four parts of a sparse tensor on a device; the pool's capacity may differ from one call to the next."""

    device: Device
    extents: Extents
    element: str
    row_start: Any = None
    row_length: Any = None
    column: Any = None
    value: Any = None
    pool: int = 0
    version: int = -1
    memory: str = ""
    name: str = ""
    snapshot: Callable[[], Any] = field(default=lambda: None)

    def part(self, name: str) -> Any:
        return getattr(self, name)


@dataclass(eq=False)
class LayeredBuffer:
    """A dense tensor on one device, each of its layers in a buffer of its own: one for each index over the extents
    `over`, row-major, which the tensor has before those of a layer."""

    parts: tuple[Buffer, ...]
    over: tuple[int, ...]
    name: str = ""

    def at(self, number: int) -> Buffer | LayeredBuffer:
        """What lies at [number, ...]."""
        count = len(self.parts) // self.over[0]
        parts = self.parts[number * count : (number + 1) * count]
        return LayeredBuffer(parts, self.over[1:], self.name) if len(self.over) > 1 else parts[0]

    @property
    def device(self) -> Device:
        return self.parts[0].device

    @property
    def element(self) -> str:
        return self.parts[0].element

    @property
    def extents(self) -> Extents:
        return (*self.over, *self.parts[0].extents)

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self.over, *self.parts[0].shape)


def part_of(buffer: Buffer, number: int) -> Buffer:
    """What of a tensor that the caller handed in lies at [number, ...], in the same memory."""
    extents, shape = buffer.extents[1:], buffer.shape[1:]
    size = prod(shape)
    array = buffer.device.portion(buffer.array, number * size, (number + 1) * size)
    return replace(buffer, extents=extents, shape=shape, arrays=(array,), layers=(*buffer.layers, number))


def duplicate(buffer: Buffer) -> Buffer:
    """A row-major tensor once more, in other memory of its device."""
    made = allocate(buffer.device, buffer.extents, buffer.shape, buffer.element, name=buffer.name)
    buffer.device.copy(buffer.array, slice(None), made.array, slice(None), 1)
    return made
