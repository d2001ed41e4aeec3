"""What a running program shows: what each kernel was given and made, and what moved between devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hetc.runtime.buffers import Buffer, SparseBuffer
from hetc.runtime.elements import absent_bits, stored
from hetc.runtime.layers import live_values


@dataclass(frozen=True)
class SparseArrays:
    """The four buffers of a sparse tensor as the device holds them; `columns` is the live extent."""

    row_start: NDArray[np.int64]
    row_length: NDArray[np.int32]
    column: NDArray[np.int32]
    value: NDArray
    columns: int


@dataclass(frozen=True)
class KernelTrace:
    """One kernel of one call, as its device held the tensors.

    kernel: the task kernel's name. inputs, outputs: in the kernel's own order, each the smallest array that holds
    the live elements, in numpy's dtype of the element type (ml_dtypes for bf16 and fp8, int32 for an index);
    elements past a row's own length are 0, -1 for an index. lengths: the live extent of every run-time dim during
    the step, an int or int32[rows] for a dim per another.
    """

    step: str
    kernel: str
    device: str
    backend: str
    inputs: tuple[NDArray | SparseArrays, ...]
    outputs: tuple[NDArray | SparseArrays, ...]
    lengths: Mapping[str, int | NDArray[np.int32]]


@dataclass(frozen=True)
class TransferTrace:
    """`bytes_moved` of a tensor from one device to another (the host is one)."""

    tensor: str
    source: str
    target: str
    bytes_moved: int


OnKernel = Callable[[KernelTrace], None]
OnTransfer = Callable[[TransferTrace], None]


def captured(
    value: Buffer | SparseBuffer, pers: Mapping[str, str], lengths: Mapping[str, NDArray]
) -> NDArray | SparseArrays:
    """A tensor as its device holds it now."""
    if isinstance(value, Buffer):
        return stored(live_values(value, pers, lengths, absent_bits(value.element)), value.element).copy()
    device, extents = value.device, value.extents
    rows = int(lengths[extents[0]][0]) if isinstance(extents[0], str) else extents[0]
    columns = int(lengths[extents[1]].max()) if isinstance(extents[1], str) else extents[1]
    everything = slice(0, value.pool)
    return SparseArrays(
        device.read(value.row_start, slice(0, rows), 1)[:, 0].copy(),
        device.read(value.row_length, slice(0, rows), 1)[:, 0].copy(),
        device.read(value.column, everything, 1)[:, 0].copy(),
        stored(np.ascontiguousarray(device.read(value.value, everything, 1)[:, 0]), value.element).copy(),
        columns,
    )


def plain_lengths(
    pers: Mapping[str, str], lengths: Mapping[str, NDArray[np.int32]]
) -> dict[str, int | NDArray[np.int32]]:
    """Lengths as an int, or as int32 of the rows in use for a dim per another."""
    return {
        name: values[: int(lengths[pers[name]][0])].copy() if name in pers else int(values[0])
        for name, values in lengths.items()
    }
