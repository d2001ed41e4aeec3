"""The live contents of buffers as host arrays, and of tensors that are kept layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from hetc.runtime.buffers import Buffer, LayeredBuffer
from hetc.runtime.elements import absent_bits, host_dtype
from hetc.runtime.regions import Extents, Lengths, LiveRows, Rows, moved_on, region_rows, row_count, row_elements


class LiveValues:
    """The live elements of a buffer as host arrays, read call after call."""

    def __init__(self, buffer: Buffer, pers: Mapping[str, str]) -> None:
        self._buffer, self._pers = buffer, pers
        self._rows = LiveRows(buffer.extents, buffer.shape, pers)

    def read(self, high: Lengths, absent: int = 0) -> NDArray:
        """Those below `high`, `absent` where a row is shorter than the longest."""
        buffer, rows, shape = self._buffer, self._rows.at(high), self._rows.box
        if self._rows.fills_box:  # no row is shorter than the longest
            return buffer.read_rows(rows).reshape(shape)
        values = np.full(shape, absent, host_dtype(buffer.element))
        if values.size:
            target = region_rows(buffer.extents, shape, self._pers, high)
            values.reshape(-1, buffer.row_elements)[target] = buffer.read_rows(rows)
        return values


def live_values(buffer: Buffer, pers: Mapping[str, str], high: Lengths, absent: int = 0) -> NDArray:
    """The elements below `high` as one host array, `absent` where a row is shorter than the longest."""
    return LiveValues(buffer, pers).read(high, absent)


class WholeValues:
    """As `LiveValues`, of a tensor whose layers may lie apart; in the element's host dtype."""

    def __init__(self, value: Buffer | LayeredBuffer, pers: Mapping[str, str]) -> None:
        self._over = value.over if isinstance(value, LayeredBuffer) else ()
        self._absent = absent_bits(value.element)
        self._parts = [LiveValues(part, pers) for part in parts_of(value)]

    def read(self, high: Lengths) -> NDArray:
        """The live elements as one host array."""
        parts = [part.read(high, self._absent) for part in self._parts]
        return np.stack(parts).reshape(*self._over, *parts[0].shape) if self._over else parts[0]


class RegionCopy:
    """Copies the live elements of a tensor, whose layers may lie apart in either place or both, call after call. What
    stays on a device does not pass through the host."""

    def __init__(self, source: Buffer | LayeredBuffer, target: Buffer | LayeredBuffer, pers: Mapping[str, str]) -> None:
        layers = max(parts_of(source), parts_of(target), key=len)
        self._width = row_elements(layers[0].extents)
        self._row_bytes = self._width * host_dtype(layers[0].element).itemsize
        self._layers = [
            tuple(_Layer.of(value, number, len(layers), layers[0].extents, pers) for value in (source, target))
            for number in range(len(layers))
        ]

    def __call__(self, high: Lengths) -> int:
        """Copy those below `high`; gives their bytes."""
        copied = 0
        for source, target in self._layers:
            rows = target.at(high)
            target.buffer.copy_rows(rows, source.buffer, source.at(high), self._width)
            copied += row_count(rows) * self._row_bytes
        return copied


@dataclass(frozen=True)
class _Layer:
    """A layer of a tensor: the buffer in which it lies, and its live rows there, from `first` on."""

    buffer: Buffer
    first: int
    rows: LiveRows

    @classmethod
    def of(
        cls, value: Buffer | LayeredBuffer, number: int, count: int, extents: Extents, pers: Mapping[str, str]
    ) -> _Layer:
        """Layer `number` of `count`, whose extents are `extents`."""
        each = count // len(parts_of(value))
        part = parts_of(value)[number // each]
        shape = part.shape[len(part.shape) - len(extents) :]
        first = number % each * (prod(shape) // row_elements(extents))
        return cls(part, first, LiveRows(extents, shape, pers))

    def at(self, high: Lengths) -> Rows:
        return moved_on(self.rows.at(high), self.first)


def parts_of(value: Buffer | LayeredBuffer) -> tuple[Buffer, ...]:
    """The buffers that a tensor lies in."""
    return (value,) if isinstance(value, Buffer) else value.parts
