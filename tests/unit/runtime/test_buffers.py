"""Buffers on the emulated devices: every element type, rows in any order, stripes over memory channels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hetc.runtime.buffers import Buffer, LayeredBuffer, Stripes, allocate
from hetc.runtime.devices import Device, HostDevice
from hetc.runtime.elements import host_dtype
from hetc.runtime.fpga import PAGE_BYTES, CsimDevice
from hetc.runtime.gpu import GpuDevice
from hetc.runtime.layers import RegionCopy, WholeValues

DEVICES: dict[str, Device] = {
    "host": HostDevice(),
    "fpga": CsimDevice(),
    "gpu": GpuDevice("cpu", "test"),  # its arrays need no kernels, and so no interpreter
}
ELEMENTS = ["f32", "f16", "bf16", "fp8", "fp8e5m2", "i8", "u8", "i16", "i32", "i64", "i4", "bool", "index"]


@pytest.mark.parametrize("kind", DEVICES)
@pytest.mark.parametrize("element", ELEMENTS)
def test_rows_come_back_as_written(kind: str, element: str) -> None:
    buffer = allocate(DEVICES[kind], ("B", 3), (5, 3), element)
    rng = np.random.default_rng(0)
    values = rng.integers(0, 100, (2, 3)).astype(np.uint8).astype(host_dtype(element))
    if element == "bool":
        values = values & 1
    buffer.write_rows(np.array([4, 1]), values)
    expected = np.zeros((5, 3), host_dtype(element))
    expected[[4, 1]] = values
    read = buffer.read_rows(np.arange(5))
    assert read.dtype == host_dtype(element)
    np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize("kind", DEVICES)
@pytest.mark.parametrize(("element", "fill"), [("index", -1), ("bf16", 1.5), ("fp8", -2.0), ("f32", 0.25)])
def test_memories_start_with_their_initial_value(kind: str, element: str, fill: float) -> None:
    from hetc.runtime.elements import decoded

    buffer = allocate(DEVICES[kind], (4,), (4,), element, fill=fill)
    assert decoded(buffer.read_rows(np.zeros(1, np.int64)), element).tolist() == [[fill] * 4]


@pytest.mark.parametrize("source", DEVICES)
@pytest.mark.parametrize("target", DEVICES)
def test_rows_move_between_devices(source: str, target: str) -> None:
    one = allocate(DEVICES[source], ("T", 2), (6, 2), "bf16")
    other = allocate(DEVICES[target], ("T", 2), (9, 2), "bf16")
    values = np.arange(12, dtype=np.uint16).reshape(6, 2)
    one.write_rows(np.arange(6), values)
    other.copy_rows(np.array([8, 0]), one, np.array([1, 5]))
    np.testing.assert_array_equal(other.read_rows(np.array([0, 8])), values[[5, 1]])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(1, 9), st.integers(0, 1), st.data())
def test_stripes_hold_row_t_in_channel_t_modulo_n(channels: int, extent: int, axis: int, data: st.DataObject) -> None:
    shape = (3, extent, 2) if axis else (extent, 3, 2)
    extents = ("B", "T", 2) if axis else ("T", "B", 2)
    buffer = allocate(DEVICES["fpga"], extents, shape, "i32", Stripes(channels, axis))
    values = np.arange(6 * extent, dtype=np.int32).reshape(-1, 2)
    order = np.array(data.draw(st.permutations(range(3 * extent))))
    buffer.write_rows(order, values[order])
    np.testing.assert_array_equal(buffer.read_rows(np.arange(3 * extent)), values)
    whole = values.reshape(shape)
    for channel in range(channels):
        rows = np.arange(channel, extent, channels)
        local = list(shape)
        local[axis] = -(-extent // channels)
        held = buffer.arrays[channel].values.reshape(local)
        np.testing.assert_array_equal(np.take(held, np.arange(len(rows)), axis), np.take(whole, rows, axis))


@pytest.mark.parametrize(("axis", "width"), [(0, 0), (1, 0), (1, 3), (1, 12), (2, 3), (2, 1)])
def test_stripes_of_a_constant_extent(axis: int, width: int) -> None:
    shape = (2, 5, 4, 3)
    extents: Any = (2, 5, 4, 3) if width else ("B", 5, 4, 3)
    buffer = allocate(DEVICES["fpga"], extents, shape, "i32", Stripes(3, axis))
    values = np.arange(120, dtype=np.int32)
    size = width or buffer.row_elements
    order = np.random.default_rng(0).permutation(120 // size)
    buffer.write_rows(order, values.reshape(-1, size)[order], size)
    np.testing.assert_array_equal(buffer.read_rows(np.arange(120 // size), size), values.reshape(-1, size))
    for channel in range(3):
        local = [-(-extent // 3) if at == axis else extent for at, extent in enumerate(shape)]
        held = buffer.arrays[channel].values.reshape(local)
        expected = np.take(values.reshape(shape), np.arange(channel, shape[axis], 3), axis)
        np.testing.assert_array_equal(np.take(held, np.arange(expected.shape[axis]), axis), expected)


def test_fpga_arrays_are_whole_pages() -> None:
    array = DEVICES["fpga"].allocate(5, "fp8")
    assert array.padded.ctypes.data % PAGE_BYTES == 0 and array.padded.nbytes == PAGE_BYTES
    assert array.values.shape == (5,)


def lying(kind: str, extents: tuple[int | str, ...], shape: tuple[int, ...], depth: int) -> Buffer | LayeredBuffer:
    """A tensor of which the layers of its first `depth` extents lie apart."""
    count = int(np.prod(shape[:depth]))
    parts = tuple(allocate(DEVICES[kind], extents[depth:], shape[depth:], "i32") for _ in range(count))
    return LayeredBuffer(parts, shape[:depth]) if depth else parts[0]


@pytest.mark.parametrize("extents", [(2, 3, "B", "T", 2), (2, 3, 4), (2, 3)])
@pytest.mark.parametrize(("source", "target"), [("host", "gpu"), ("gpu", "gpu"), ("fpga", "fpga"), ("gpu", "fpga")])
def test_tensors_are_copied_however_their_layers_lie(extents: tuple[int | str, ...], source: str, target: str) -> None:
    """Live elements only: of T, two rows of the first sequence and one of the second."""
    capacities = {"B": 2, "T": 5}
    lengths = {"B": np.array([2], np.int32), "T": np.array([2, 1], np.int32)}
    pers = {"T": "B"}
    shape = tuple(capacities.get(str(size), size) for size in extents)
    values = np.arange(1, np.prod(shape) + 1, dtype=np.int32).reshape(shape)  # type: ignore[call-overload]
    for depth, other in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (2, 2)]:
        one, two = (lying(kind, extents, shape, at) for kind, at in ((source, depth), (target, other)))  # type: ignore[arg-type]
        parts = (one,) if isinstance(one, Buffer) else one.parts
        for part, held in zip(parts, values.reshape(len(parts), -1, parts[0].row_elements), strict=True):
            part.write_rows(np.arange(len(held)), held)
        live = WholeValues(one, pers).read(lengths)
        assert (RegionCopy(one, two, pers)(lengths), live.shape[:2]) == (np.count_nonzero(live) * 4, (2, 3))
        np.testing.assert_array_equal(WholeValues(two, pers).read(lengths), live)
