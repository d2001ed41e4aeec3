"""Tensors kept layer by layer, and the same tensors as wholes: moving contents from one form to the other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hetc.runtime.buffers import Buffer, LayeredBuffer
from hetc.runtime.elements import absent_bits
from hetc.runtime.regions import Lengths, region_rows
from hetc.runtime.state import live_values


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
