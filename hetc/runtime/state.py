"""The state of a pipeline between calls: its memories and how long each growing dim is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetc.numerics.packing import unpack
from hetc.runtime import loading
from hetc.runtime.binding import bind
from hetc.runtime.buffers import Buffer
from hetc.runtime.devices import Device
from hetc.runtime.elements import decoded, stored
from hetc.runtime.errors import CapacityError, InputError, StateError
from hetc.runtime.guarded import Guarded, ReadOnly
from hetc.runtime.layers import live_values
from hetc.runtime.live_length import LiveLength
from hetc.runtime.memory import DenseMemory, SparseHome, layer_specs
from hetc.runtime.plans import Plans
from hetc.runtime.pools import Pools
from hetc.runtime.regions import layers_of
from hetc.runtime.specification import Pipeline, Tensor, length_array, whole_number
from hetc.runtime.workspace import Workspace


class State(Guarded):
    """Made by a program's `new_state`.

    calls: completed calls by step. lengths: the committed length of each dim that memories have, int32 of one
    element, or of one a row for a dim per another. capacities: what buffers are allocated with along each dim; given:
    those that `new_state` got. All of them are to be read; a failed step changes none of it.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        devices: Mapping[str, Device],
        given: Mapping[str, int],
        pages: Mapping[str, int] | None = None,
    ) -> None:
        self.pipeline, self.devices = pipeline, devices
        kept = "a state keeps the capacities that it was made with"
        self.given = ReadOnly(pipeline.capacities(given, pipeline.state_dims), kept)
        self._capacities: dict[str, int] = {
            name: int(value) for name, value in pipeline.with_derived_capacities(self.given).items()
        }
        self.capacities = ReadOnly(self._capacities, kept)
        self._calls: dict[str, int] = dict.fromkeys(pipeline.steps, 0)
        self.calls = ReadOnly(self._calls, "calls are counted as steps complete")
        self._lengths: dict[str, NDArray[np.int32]] = {}
        self.lengths = ReadOnly(self._lengths, "state.set_lengths(T=...) sets lengths")
        for name in self.given:
            start = 0 if name in pipeline.kept else self.given[name]
            self._set_length(name, length_array(start, self._rows(name), name))
        self.pools = Pools(pipeline, self._capacities, self._pages({} if pages is None else pages))
        self.dense: dict[str, DenseMemory] = {}
        self.sparse: dict[str, SparseHome] = {}
        for name, spec in pipeline.memories.items():
            if spec.stored_bound is None:
                for part, layer in layer_specs(name, spec).items():
                    self.dense[part] = DenseMemory(part, layer, pipeline, devices, self._capacities, self.pools)
            else:
                self.sparse[name] = SparseHome(name, pipeline, devices, self._capacities)
        self.workspace = Workspace(pipeline.workspace)
        self.plans = Plans()
        self.bound: list[Buffer] = []
        self._live_lengths: dict[tuple[str, str, int], LiveLength] = {}
        self._running: list[str] = []
        self._guard()

    def __repr__(self) -> str:
        extents = ", ".join(f"{name}={value}" for name, value in self.given.items())
        return f"<state of pipeline '{self.pipeline.name}'{f': {extents}' if extents else ''}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "pipeline" not in self.__dict__:
            raise AttributeError(name)
        raise AttributeError(f"{self!r} has no attribute '{name}'; {self._instead(name)}")

    def _instead(self, name: str) -> str:
        if name in self.pipeline.memories:
            return f"state.read('{name}') gives what the memory holds, state.load('{name}', array) sets it"
        if name in ("lengths", *self.pipeline.dims):
            return "state.lengths holds how long dims are, state.set_lengths(T=...) sets it"
        return f"its memories are {', '.join(self.pipeline.memories) or 'none'}"

    def _pages(self, given: Mapping[str, int]) -> Mapping[str, int]:
        """Checked numbers of pages, by the dim whose rows they hold."""
        if not isinstance(given, Mapping):
            raise InputError(f"pages: expected a mapping, as in new_state({{'T': 100}}, ...), got {given!r}")
        paged = {
            item for spec in self.pipeline.memories.values() if spec.rows and spec.rows.block for item in spec.dims
        }
        checked = {}
        for dim, count in given.items():
            if dim not in paged:
                raise InputError(f"pipeline '{self.pipeline.name}' has no memory in pages along '{dim}'")
            checked[dim] = whole_number(count, f"pages of {dim}")
            if checked[dim] < 1:
                raise InputError(f"pages of {dim}: expected a positive number, got {count!r}")
        return checked

    def _rows(self, dim: str) -> int | None:
        per = self.pipeline.dims[dim].per
        return self.given[per] if per is not None else None

    # Contents and lengths, as the caller sets them.

    def set_lengths(self, **lengths: object) -> None:
        """Set how long dims are, e.g. `T=12` or `T=[3, 9]` for a dim per a row. Raises InputError, CapacityError."""
        self._idle()
        self.hold_lengths(self.checked_lengths(lengths))

    def checked_lengths(self, lengths: Mapping[str, object]) -> dict[str, NDArray[np.int32]]:
        """Lengths that the state has room for. Raises InputError, CapacityError."""
        checked = {}
        for name, value in lengths.items():
            if name not in self.lengths:
                raise InputError(f"the state of '{self.pipeline.name}' has no dim '{name}'")
            array = length_array(value, self._rows(name), name)
            if array.size and array.max() > self.capacities[name]:
                raise CapacityError(f"dim {name}: lengths {array.tolist()} lie outside of 0 to {self.capacities[name]}")
            checked[name] = array
        return checked

    def hold_lengths(self, checked: Mapping[str, NDArray[np.int32]]) -> None:
        """Take checked lengths, and the pages that they need. Raises CapacityError, changing nothing."""
        try:
            for name, array in checked.items():
                self.pools.hold(name, array)
        except CapacityError:
            for name in checked:
                self.pools.hold(name, self.lengths[name])
            raise
        for name, array in checked.items():
            self._set_length(name, array)
        for memory in self.dense.values():
            memory.changed()

    def load(self, name: str, array: Any, lengths: object = None) -> None:
        """Set a memory's contents: an array of the memory's extents, as long along the growing dim as its longest
        row. `lengths` are that dim's lengths (default: the array's extent, for every row). A sparse memory takes a
        dense array, or (row, column, value) arrays with `lengths`. Raises InputError, CapacityError."""
        self._idle()
        loading.load(self, name, array, lengths)

    def load_columns(self, name: str, row_numbers: Any) -> None:
        """Set a sparse memory's contents by columns, as appends would: each row of `row_numbers` [columns, entries]
        counts its row numbers, absent ones (-1) skipped. Raises InputError, CapacityError."""
        self._idle()
        loading.load_columns(self, name, row_numbers)

    def read(self, name: str, *, as_stored: bool = False) -> NDArray:
        """A copy of a memory's live contents: float64 or integers, or in the element's own numpy dtype (of what is
        packed: the bytes, uint8)."""
        spec = self.memory(name)
        if name in self.sparse:
            home = self.sparse[name]
            values = home.matrix.to_dense(home.columns(self.lengths))
        else:
            parts = [
                live_values(memory.buffer, self.pipeline.pers, memory.bounds(self.lengths.get(memory.along)))
                for memory in self.parts(name)
            ]
            over = layers_of(spec.extents, spec.layered)
            values = np.stack(parts).reshape(*over, *parts[0].shape) if over else parts[0]
        if spec.codes is not None and not as_stored:
            return unpack(values, *spec.codes)
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
        self.bound[:] = [memory.buffer for memory in self.dense.values() if memory.bound]
        self.plans.clear()
        if lengths is not None:
            if not isinstance(lengths, Mapping):
                if len(self.pipeline.kept) != 1:
                    kept = ", ".join(self.pipeline.kept) or "no dim"
                    raise InputError(f"lengths: expected a mapping: the state keeps those of {kept}")
                lengths = {self.pipeline.kept[0]: lengths}
            self.set_lengths(**lengths)

    def clear(self, dim: str) -> None:
        """Empty every memory along `dim`."""
        self._idle()
        if dim not in self.lengths:
            raise InputError(f"the state of '{self.pipeline.name}' has no dim '{dim}'")
        self.shorten(dim, np.zeros_like(self.lengths[dim]))

    # What a step does.

    def enter(self, step: str) -> None:
        """Nothing else may change the state until `leave`. Raises StateError where a step is in progress."""
        self._idle()
        self._running.append(step)

    def leave(self) -> None:
        self._running.clear()

    def make_room(self, lengths: Mapping[str, NDArray[np.int32]]) -> None:
        """Let the capacities of dims that only a call's own tensors have be the most seen so far."""
        dims, before = self.pipeline.dims, dict(self._capacities)
        plain = {name: value for name, value in before.items() if dims[name].derived is None}
        for name, values in lengths.items():
            if name not in self.given and dims[name].derived is None:
                plain[name] = max(plain.get(name, 1), int(values.max(initial=0)))
        self._capacities.update(
            {name: int(value) for name, value in self.pipeline.with_derived_capacities(plain).items()}
        )
        if self._capacities != before:
            self.plans.clear()

    def live_length(self, dim: str, device: Device, size: int) -> LiveLength:
        """The array of a dim's live lengths on a device, for so many rows."""
        key = (dim, device.kind, size)
        if key not in self._live_lengths:
            self._live_lengths[key] = LiveLength(device, size)
        return self._live_lengths[key]

    def hold_pages(self, lengths: Mapping[str, NDArray[np.int32]], dims: Collection[str]) -> None:
        """Let the dims of memories in pages have the pages that they need. Raises CapacityError."""
        if self.pools.tables:
            for dim in dims:
                if dim in lengths:
                    self.pools.hold(dim, lengths[dim])

    def complete(self, step: str, lengths: Mapping[str, NDArray[np.int32]]) -> None:
        """A step has appended: its dims have these lengths now."""
        for dim in self.pipeline.steps[step].grows:
            self._set_length(dim, lengths[dim])
        self._calls[step] += 1

    def shorten(self, dim: str, lengths: NDArray) -> None:
        """Give a dim lengths that are at most its own; what lies past them is gone."""
        self._set_length(dim, lengths)
        self.pools.hold(dim, self.lengths[dim])
        for memory in self.dense.values():
            if memory.along == dim:
                memory.forget_beyond(self.lengths[dim])
        for home in self.sparse.values():
            if home.along == dim and not lengths.any():
                none = np.zeros(0, np.int64)
                home.matrix.load(none, none, none)

    def _set_length(self, dim: str, lengths: NDArray) -> None:
        held = self._lengths[dim] = lengths.astype(np.int32, copy=False)
        held.flags.writeable = False  # `state.lengths` hands it out

    def parts(self, name: str) -> list[DenseMemory]:
        """What a dense memory is kept in: one part, or one for each layer."""
        return [self.dense[part] for part in layer_specs(name, self.pipeline.tensors[name])]

    def memory(self, name: str) -> Tensor:
        """What is declared of a memory. Raises InputError."""
        if name not in self.pipeline.memories:
            known = ", ".join(self.pipeline.memories) or "none"
            raise InputError(f"pipeline '{self.pipeline.name}' has no memory '{name}'; it has {known}")
        return self.pipeline.tensors[name]

    def _idle(self) -> None:
        if self._running:
            raise StateError(f"the state is in step '{self._running[0]}'")
