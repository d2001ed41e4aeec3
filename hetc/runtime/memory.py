"""A memory of a state: its buffer at home, the copies on other devices, and how much of each is valid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import NDArray

from hetc.runtime.buffers import Buffer, SparseBuffer, Stripes, allocate
from hetc.runtime.devices import HOST, Device
from hetc.runtime.elements import INDEX, host_dtype
from hetc.runtime.pools import Pools
from hetc.runtime.regions import as_slice, layers_of, region_rows
from hetc.runtime.sparse_memory import SparseMemory, Touched
from hetc.runtime.specification import Pipeline, Tensor

Moved = Callable[[str, str, str, int], None]
"""Called with (tensor, from kind, to kind, bytes) for what moves between two devices."""


@dataclass
class Copy:
    """A memory on another device or in another layout: which version of it, and of how many rows along the growing
    dim."""

    buffer: Buffer
    version: int = -1
    valid: NDArray[np.int32] = field(default_factory=lambda: np.zeros(1, np.int32))


class DenseMemory:
    """`along`: the dim whose length says how much of the memory there is ("" where it is all there). `bound`: its
    buffer is the caller's own tensor, and stays so."""

    def __init__(
        self,
        name: str,
        spec: Tensor,
        pipeline: Pipeline,
        devices: Mapping[str, Device],
        capacities: Mapping[str, int],
        pools: Pools,
    ) -> None:
        self.name, self.spec, self.pools = name, spec, pools
        self.pers, self.devices, self.capacities = pipeline.pers, devices, capacities
        kept = [dim for dim in self.spec.dims if dim in pipeline.kept]
        self.along = kept[-1] if kept else ""
        self.version = 0
        self.bound = False
        self.copies: dict[tuple[str, Stripes | None], Copy] = {}
        self.buffer = self.new_buffer(self.spec.home, home_stripes(self.spec))
        self.buffer.memory = name

    @property
    def pool(self) -> str:
        """What memories that lie beside each other have in common, by layer; "" for one that lies alone."""
        layer = self.name.removeprefix(self.name.split("[")[0])
        return self.spec.group and self.spec.group + layer

    def shape(self) -> tuple[int, ...]:
        return tuple(self.capacities[item] if isinstance(item, str) else item for item in self.spec.extents)

    def new_buffer(self, kind: str, stripes: Stripes | None) -> Buffer:
        spec = self.spec
        if spec.rows is not None:
            return self.pools.allocate(self.name, self.pool, spec, self.devices[kind], self.shape())
        fill = -1 if spec.element == INDEX and spec.init == 0 else spec.init
        return allocate(self.devices[kind], spec.extents, self.shape(), spec.element, stripes, fill, self.name)

    def bounds(self, lengths: NDArray[np.int32] | None) -> dict[str, NDArray]:
        """Upper bounds of a region: capacities, and `lengths` along the growing dim."""
        high: dict[str, NDArray] = {}
        for dim in self.spec.dims:
            rows = self.capacities[self.pers[dim]] if dim in self.pers else 1
            high[dim] = np.full(rows, self.capacities[dim], np.int32)
        if lengths is not None and self.along:
            high[self.along] = lengths
        return high

    def copy_on(self, kind: str, stripes: Stripes | None) -> Copy:
        """The copy on a device; where it is new it holds nothing yet."""
        if (kind, stripes) not in self.copies:
            self.copies[kind, stripes] = Copy(self.new_buffer(kind, stripes))
        return self.copies[kind, stripes]

    def bring(self, copy: Copy, written: NDArray[np.int32], moved: Moved) -> None:
        """Bring a copy up to date, moving only the rows below `written` that it lacks."""
        if copy.version != self.version:
            copy.valid = np.zeros_like(written)
        elif not self.along or (written <= copy.valid).all():
            return
        low = {self.along: copy.valid} if self.along else None
        rows = region_rows(self.spec.extents, self.shape(), self.pers, self.bounds(written), low)
        if len(rows):
            copy.buffer.copy_rows(rows, self.buffer, rows)
            row_bytes = self.buffer.row_elements * host_dtype(self.spec.element).itemsize
            moved(self.name, self.buffer.device.kind, copy.buffer.device.kind, len(rows) * row_bytes)
        copy.version, copy.valid = self.version, np.maximum(copy.valid, written)

    def forget_beyond(self, committed: NDArray[np.int32]) -> None:
        """Rows past the committed ones may be written again."""
        for copy in self.copies.values():
            copy.valid = np.minimum(copy.valid, committed)

    def current_copies(self) -> list[Buffer]:
        """The copies that hold what the memory holds, as far as they reach."""
        return [copy.buffer for copy in self.copies.values() if copy.version == self.version]

    def changed(self) -> None:
        """All contents are new: every copy is stale."""
        self.version += 1


def layer_specs(name: str, spec: Tensor) -> dict[str, Tensor]:
    """The buffers that a dense memory is kept in: its own, or one for each layer, row-major."""
    if not spec.layered:
        return {name: spec}
    numbers = product(*map(range, layers_of(spec.extents, spec.layered)))
    return {f"{name}[{', '.join(map(str, at))}]": spec.layer for at in numbers}


class SparseHome:
    """A sparse memory: maintained on the host, copied by touched parts to every device that reads it."""

    def __init__(
        self, name: str, pipeline: Pipeline, devices: Mapping[str, Device], capacities: Mapping[str, int]
    ) -> None:
        self.name, self.spec = name, pipeline.tensors[name]
        self.devices = devices
        rows = self.spec.extents[0]
        count = capacities[rows] if isinstance(rows, str) else rows
        assert self.spec.stored_bound is not None
        columns = self.spec.extents[1]
        self.along, self._columns = (columns, 0) if isinstance(columns, str) else ("", columns)
        self.matrix = SparseMemory(count, self.spec.element, self.spec.stored_bound, name)
        self.copies: dict[str, tuple[SparseBuffer, Touched]] = {}

    def columns(self, lengths: Mapping[str, NDArray[np.int32]]) -> int:
        """How many columns there are: the length of the dim that they lie along, or the constant extent."""
        return int(lengths[self.along][0]) if self.along else self._columns

    def copy_on(self, kind: str) -> SparseBuffer:
        """The four parts on a device; where they are new they hold nothing yet."""
        if kind not in self.copies:
            device = self.devices[kind]
            buffer = SparseBuffer(device, self.spec.extents, self.spec.element, memory=self.name, name=self.name)
            buffer.row_start = device.allocate(self.matrix.rows, "i64")
            buffer.row_length = device.allocate(self.matrix.rows, "i32")
            self.copies[kind] = (buffer, self.matrix.watch())
        return self.copies[kind][0]

    def bring(self, kind: str, moved: Moved) -> None:
        """Bring the four parts on device `kind` up to date."""
        buffer, touched = self.copies[kind]
        matrix, device = self.matrix, buffer.device
        if buffer.pool != matrix.pool or buffer.column is None:
            buffer.column = buffer.value = None  # free before their successors are there
            buffer.column = device.allocate(max(matrix.pool, 1), "i32")
            buffer.value = device.allocate(max(matrix.pool, 1), self.spec.element)
            buffer.pool = matrix.pool
            touched.everything = True
        size = _upload_all(buffer, matrix) if touched.everything else _upload_rows(buffer, matrix, touched)
        touched.clear()
        if size:
            moved(self.name, HOST, kind, size)


def _upload_all(buffer: SparseBuffer, matrix: SparseMemory) -> int:
    device, everything = buffer.device, slice(0, matrix.end)
    device.write(buffer.row_start, slice(0, matrix.rows), matrix.row_start[:, None])
    device.write(buffer.row_length, slice(0, matrix.rows), matrix.row_length[:, None])
    device.write(buffer.column, everything, matrix.column[everything, None])
    device.write(buffer.value, everything, matrix.value[everything, None])
    return matrix.rows * 12 + matrix.end * (4 + matrix.value.itemsize)


def _upload_rows(buffer: SparseBuffer, matrix: SparseMemory, touched: Touched) -> int:
    if not touched.rows:
        return 0
    device = buffer.device
    rows = np.unique(np.concatenate(touched.rows))
    length = matrix.row_length[rows].astype(np.int64)
    within = np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length)
    entries = np.sort(np.repeat(matrix.row_start[rows], length) + within)
    device.write(buffer.row_start, as_slice(rows), matrix.row_start[rows, None])
    device.write(buffer.row_length, as_slice(rows), matrix.row_length[rows, None])
    device.write(buffer.column, as_slice(entries), matrix.column[entries, None])
    device.write(buffer.value, as_slice(entries), matrix.value[entries, None])
    return len(rows) * 12 + len(entries) * (4 + matrix.value.itemsize)


def home_stripes(spec: Tensor) -> Stripes | None:
    return Stripes(spec.stripes, spec.striped_axis) if spec.stripes > 1 else None
