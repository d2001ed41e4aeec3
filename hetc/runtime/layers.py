"""The live contents of buffers as host arrays, and of tensors that are kept layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np
from numpy.typing import NDArray

from hetc.runtime.buffers import Buffer, LayeredBuffer
from hetc.runtime.elements import absent_bits, host_dtype
from hetc.runtime.regions import Extents, Lengths, box, region_rows, row_elements


def live_values(buffer: Buffer, pers: Mapping[str, str], high: Lengths, absent: int = 0) -> NDArray:
    """The elements below `high` as one host array, `absent` where a row is shorter than the longest."""
    shape = box(buffer.extents, pers, high)
    rows = region_rows(buffer.extents, buffer.shape, pers, high)
    if len(rows) * buffer.row_elements == prod(shape):  # no row is shorter than the longest
        return np.array(buffer.read_rows(rows)).reshape(shape)
    values = np.full(shape, absent, host_dtype(buffer.element))
    target = region_rows(buffer.extents, shape, pers, high)
    if values.size:
        values.reshape(-1, buffer.row_elements)[target] = buffer.read_rows(rows)
    return values


def whole_values(value: Buffer | LayeredBuffer, pers: Mapping[str, str], high: Lengths) -> NDArray:
    """The live elements as one host array, in the element's host dtype."""
    absent = absent_bits(value.element)
    if isinstance(value, Buffer):
        return live_values(value, pers, high, absent)
    parts = [live_values(part, pers, high, absent) for part in value.parts]
    return np.stack(parts).reshape(*value.over, *parts[0].shape)


def copy_region(
    source: Buffer | LayeredBuffer, target: Buffer | LayeredBuffer, pers: Mapping[str, str], high: Lengths
) -> int:
    """Copy the live elements of a tensor, whose layers may lie apart in either or both; gives the bytes of them. What
    stays on a device does not pass through the host."""
    layers = max(_parts(source), _parts(target), key=len)
    extents, element = layers[0].extents, layers[0].element
    width, copied = row_elements(extents), 0
    for number in range(len(layers)):
        there, there_rows = _layer_rows(source, number, len(layers), extents, pers, high)
        here, here_rows = _layer_rows(target, number, len(layers), extents, pers, high)
        here.copy_rows(here_rows, there, there_rows, width)
        copied += len(here_rows) * width * host_dtype(element).itemsize
    return copied


def _parts(value: Buffer | LayeredBuffer) -> tuple[Buffer, ...]:
    return (value,) if isinstance(value, Buffer) else value.parts


def _layer_rows(
    value: Buffer | LayeredBuffer, number: int, count: int, extents: Extents, pers: Mapping[str, str], high: Lengths
) -> tuple[Buffer, NDArray[np.int64]]:
    """The buffer in which layer `number` of `count` lies, and which of its rows (of a layer's size) are live ones of
    that layer, whose extents are `extents`."""
    each = count // len(_parts(value))
    part = _parts(value)[number // each]
    shape = part.shape[len(part.shape) - len(extents) :]
    first = number % each * (prod(shape) // row_elements(extents))
    return part, first + region_rows(extents, shape, pers, high)
