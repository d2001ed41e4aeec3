"""The live contents of buffers as host arrays, and of tensors that are kept layer by layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hetc.runtime.buffers import Buffer, LayeredBuffer
from hetc.runtime.elements import absent_bits, host_dtype
from hetc.runtime.regions import Lengths, box, region_rows


def live_values(buffer: Buffer, pers: Mapping[str, str], high: Lengths, absent: int = 0) -> NDArray:
    """The elements below `high` as one host array, `absent` where a row is shorter than the longest."""
    shape = box(buffer.extents, pers, high)
    values = np.full(shape, absent, host_dtype(buffer.element))
    rows = region_rows(buffer.extents, buffer.shape, pers, high)
    target = region_rows(buffer.extents, shape, pers, high)
    if values.size:
        values.reshape(-1, buffer.row_elements)[target] = buffer.read_rows(rows)
    return values


def whole_values(value: Buffer | LayeredBuffer, pers: Mapping[str, str], high: Lengths) -> NDArray:
    """The live elements as one host array, in the element's host dtype."""
    absent = absent_bits(value.element)
    if isinstance(value, Buffer):
        return live_values(value, pers, high, absent)
    return np.stack([live_values(part, pers, high, absent) for part in value.parts])


def store_values(values: NDArray, target: Buffer | LayeredBuffer, pers: Mapping[str, str], high: Lengths) -> None:
    """The inverse: live elements of a host array into buffers."""
    if isinstance(target, LayeredBuffer):
        for part, layer in zip(target.parts, values, strict=True):
            store_values(layer, part, pers, high)
        return
    rows = region_rows(target.extents, target.shape, pers, high)
    source = region_rows(target.extents, values.shape, pers, high)
    if values.size:
        target.write_rows(rows, values.reshape(-1, target.row_elements)[source])
