"""The state of a pipeline between calls: its memories and how long each growing dim is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetc.runtime.binding import bind
from hetc.runtime.buffers import Buffer
from hetc.runtime.devices import Device
from hetc.runtime.elements import decoded, stored
from hetc.runtime.errors import CapacityError, InputError, StateError
from hetc.runtime.layers import live_values
from hetc.runtime.memory import DenseMemory, SparseHome, parts_of
from hetc.runtime.pools import Pools
from hetc.runtime.regions import region_rows
from hetc.runtime.specification import Pipeline, Tensor, length_array
from hetc.runtime.tensors import to_host


class State:
    """Made by a program's `new_state`.

    calls: completed calls by step. lengths: the committed length of each dim that memories have, int32 of one
    element, or of one a row for a dim per another. A failed step changes none of it.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        devices: Mapping[str, Device],
        given: Mapping[str, int],
        pages: Mapping[str, int] | None = None,
    ) -> None:
        self.pipeline, self.devices = pipeline, devices
        self.given = pipeline.capacities(given, pipeline.state_dims)
        self.capacities: dict[str, int] = {
            name: int(value) for name, value in pipeline.with_derived(self.given).items()
        }
        self.calls: dict[str, int] = dict.fromkeys(pipeline.steps, 0)
        self.lengths: dict[str, NDArray[np.int32]] = {}
        for name in self.given:
            start = 0 if name in pipeline.growing else self.given[name]
            self.lengths[name] = length_array(start, self._rows(name), name)
        self.pools = Pools(pipeline, self.capacities, self._pages(pages or {}))
        self.dense: dict[str, DenseMemory] = {}
        self.sparse: dict[str, SparseHome] = {}
        for name, spec in pipeline.memories.items():
            if spec.stored_bound is None:
                for part, layer in parts_of(name, spec).items():
                    self.dense[part] = DenseMemory(part, layer, pipeline, devices, self.capacities, self.pools)
            else:
                self.sparse[name] = SparseHome(name, pipeline, devices, self.capacities)
        self.workspace: dict[tuple[str, str], Buffer] = {}
        self.length_arrays: dict[tuple[str, str], tuple[Any, NDArray[np.int32]]] = {}
        self.running = ""

    def _pages(self, given: Mapping[str, int]) -> Mapping[str, int]:
        """Checked numbers of pages, by the dim whose rows they hold."""
        paged = {
            item for spec in self.pipeline.memories.values() if spec.rows and spec.rows.block for item in spec.dims
        }
        for dim, count in given.items():
            if dim not in paged:
                raise InputError(f"pipeline '{self.pipeline.name}' has no memory in pages along '{dim}'")
            if not isinstance(count, int) or count < 1:
                raise InputError(f"pages of {dim}: expected a positive number, got {count!r}")
        return given

    def _rows(self, dim: str) -> int | None:
        per = self.pipeline.dims[dim].per
        return self.given[per] if per is not None else None

    def set_lengths(self, **lengths: object) -> None:
        """Set how long dims are, e.g. `T=12` or `T=[3, 9]` for a dim per a row. Raises InputError, CapacityError."""
        self._idle()
        checked = {}
        for name, value in lengths.items():
            if name not in self.lengths:
                raise InputError(f"the state of '{self.pipeline.name}' has no dim '{name}'")
            array = length_array(value, self._rows(name), name)
            if array.size and (array.min() < 0 or array.max() > self.capacities[name]):
                raise CapacityError(f"dim {name}: lengths {array.tolist()} lie outside of 0 to {self.capacities[name]}")
            checked[name] = array
        for name, array in checked.items():
            self.pools.hold(name, array)
        self.lengths.update(checked)
        for memory in self.dense.values():
            memory.changed()

    def load(self, name: str, array: Any, lengths: object = None) -> None:
        """Set a memory's contents: an array of the memory's extents, as long along the growing dim as its longest
        row. `lengths` are that dim's lengths (default: the array's extent, for every row). A sparse memory takes a
        dense array, or (row, column, value) arrays with `lengths`."""
        self._idle()
        spec = self.memory(name)
        if name in self.sparse:
            self._load_sparse(name, array, lengths)
            return
        values = to_host(array, spec.element, name)
        self._check_shape(name, values.shape)
        memories = self.parts(name)
        along = memories[0].along
        if along:
            extent = values.shape[spec.extents.index(along)]
            self.set_lengths(**{along: extent if lengths is None else lengths})
        for memory, part in zip(memories, values if spec.layered else [values], strict=True):
            self._load_part(memory, part)

    def _load_part(self, memory: DenseMemory, values: NDArray) -> None:
        extents = memory.spec.extents
        high = memory.bounds(self.lengths[memory.along] if memory.along else None)
        for dim, size in zip(extents, values.shape, strict=True):
            if isinstance(dim, str):
                high[dim] = np.minimum(high[dim], size)
        target = region_rows(extents, memory.shape(), self.pipeline.pers, high)
        source = region_rows(extents, values.shape, self.pipeline.pers, high)
        memory.buffer.write_rows(target, values.reshape(-1, memory.buffer.row_elements)[source])
        memory.changed()

    def _load_sparse(self, name: str, given: Any, lengths: object) -> None:
        home, spec = self.sparse[name], self.memory(name)
        if isinstance(given, tuple):
            if lengths is None:
                raise InputError(f"memory '{name}': entries without `lengths`, the number of columns")
            row, column, value = (np.asarray(item) for item in given)
            values = to_host(value, spec.element, name)
            columns: object = lengths
        else:
            dense = to_host(given, spec.element, name)
            self._check_shape(name, dense.shape)
            row, column = np.nonzero(dense)
            values, columns = dense[row, column], dense.shape[1] if lengths is None else lengths
        entries = check_entries(name, row, column, home.matrix.rows, columns, home.matrix.stored_bound)
        self.set_lengths(**{home.along: columns})
        home.matrix.load(*entries, values)

    def load_columns(self, name: str, row_numbers: Any) -> None:
        """Set a sparse memory's contents by columns, as appends would: each row of `row_numbers` [columns, entries]
        counts its row numbers, absent ones (-1) skipped."""
        self.memory(name)
        if name not in self.sparse:
            raise InputError(f"memory '{name}' is dense; use load")
        numbers = to_host(row_numbers, "i32", name)
        if numbers.ndim != 2:
            raise InputError(f"memory '{name}': expected row numbers [columns, entries], got {list(numbers.shape)}")
        home = self.sparse[name]
        self.set_lengths(**{home.along: len(numbers)})
        none = np.zeros(0, np.int64)
        home.matrix.load(none, none, none)
        home.matrix.append(numbers, 0)

    def read(self, name: str, *, as_stored: bool = False) -> NDArray:
        """A copy of a memory's live contents: float64 or integers, or in the element's own numpy dtype."""
        spec = self.memory(name)
        if name in self.sparse:
            home = self.sparse[name]
            values = home.matrix.to_dense(int(self.lengths[home.along][0]))
        else:
            parts = [
                live_values(memory.buffer, self.pipeline.pers, memory.bounds(self.lengths.get(memory.along)))
                for memory in self.parts(name)
            ]
            values = np.stack(parts) if spec.layered else parts[0]
        return stored(values, spec.element) if as_stored else decoded(values, spec.element)

    def bind(self, *, block_table: Any = None, lengths: Any = None, **tensors: Any) -> None:
        """Use the caller's own tensors as memories, without a copy: torch tensors on the memory's device.

        A memory is bound to a tensor of its extents, all of them as large as the state's capacities; one in pages to
        its pool, [pages, ...] (of memories that lie beside each other: any one of them, to the bytes of all).
        block_table: int32[sequences, entries], the page of each block of rows; it is read at every step, and stays the
        caller's to fill. lengths: the dim's committed lengths, or a mapping where several dims grow.
        Raises InputError, StateError, DeviceError, CapacityError, and then changes nothing of the memories."""
        self._idle()
        bind(self, tensors, block_table)
        if lengths is not None:
            if not isinstance(lengths, Mapping):
                if len(self.pipeline.growing) != 1:
                    raise InputError(
                        f"lengths: expected a mapping; {', '.join(self.pipeline.growing) or 'no dim'} grow"
                    )
                lengths = {self.pipeline.growing[0]: lengths}
            self.set_lengths(**{name: _numbers(value) for name, value in lengths.items()})

    def clear(self, dim: str) -> None:
        """Empty every memory along `dim`."""
        self._idle()
        if dim not in self.lengths:
            raise InputError(f"the state of '{self.pipeline.name}' has no dim '{dim}'")
        self.shorten(dim, np.zeros_like(self.lengths[dim]))

    def shorten(self, dim: str, lengths: NDArray) -> None:
        """Give a dim lengths that are at most its own; what lies past them is gone."""
        self.lengths[dim] = lengths.astype(np.int32)
        self.pools.hold(dim, self.lengths[dim])
        for memory in self.dense.values():
            if memory.along == dim:
                memory.forget_beyond(self.lengths[dim])
        for home in self.sparse.values():
            if home.along == dim and not lengths.any():
                none = np.zeros(0, np.int64)
                home.matrix.load(none, none, none)

    @property
    def bound(self) -> list[Buffer]:
        """The buffers of memories that are the caller's own tensors."""
        return [memory.buffer for memory in self.dense.values() if memory.bound]

    def parts(self, name: str) -> list[DenseMemory]:
        """What a dense memory is kept in: one part, or one for each layer."""
        return [self.dense[part] for part in parts_of(name, self.pipeline.tensors[name])]

    def memory(self, name: str) -> Tensor:
        """What is declared of a memory. Raises InputError."""
        if name not in self.pipeline.memories:
            known = ", ".join(self.pipeline.memories) or "none"
            raise InputError(f"pipeline '{self.pipeline.name}' has no memory '{name}'; it has {known}")
        return self.pipeline.tensors[name]

    def _check_shape(self, name: str, shape: tuple[int, ...]) -> None:
        extents = self.pipeline.tensors[name].extents
        fits = len(shape) == len(extents) and all(
            size <= self.capacities[item] if isinstance(item, str) else size == item
            for size, item in zip(shape, extents, strict=True)
        )
        if not fits:
            wanted = ", ".join(f"{e} (up to {self.capacities[e]})" if isinstance(e, str) else str(e) for e in extents)
            raise InputError(f"memory '{name}': expected [{wanted}], got {list(shape)}")

    def _idle(self) -> None:
        if self.running:
            raise StateError(f"the state is in step '{self.running}'")


def _numbers(value: Any) -> Any:
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value


def check_entries(
    name: str, row: NDArray, column: NDArray, rows: int, columns: object, bound: int
) -> tuple[NDArray, NDArray]:
    """Positions of sparse entries that lie inside and do not repeat. Raises InputError, CapacityError."""
    if len(row) > bound:
        raise CapacityError(f"memory '{name}': {len(row)} entries exceed its bound {bound}")
    width = int(np.asarray(columns).max(initial=0))
    outside = (row < 0) | (row >= rows) | (column < 0) | (column >= width)
    if outside.any():
        at = int(np.argmax(outside))
        raise InputError(f"memory '{name}': entry ({row[at]}, {column[at]}) lies outside of [{rows}, {width}]")
    if len(np.unique(row.astype(np.int64) * max(width, 1) + column)) != len(row):
        raise InputError(f"memory '{name}': an entry is given twice")
    return row, column
