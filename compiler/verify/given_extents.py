"""The extents that arrays of the caller's have: of a state, and of every call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetc.compiler.verify.draw import Draw
from hetc.diagnostics import Diagnostics
from hetc.runtime.errors import CapacityError, InputError
from hetc.runtime.specification import Pipeline, length_array

CODE = "HET412"
Arrays = Mapping[str, NDArray]


@dataclass
class NamedArrays:
    """What the names say: tensors of each call, what memories begin with, lengths of dims."""

    calls: int
    inputs: list[dict[str, NDArray]]
    weights: dict[str, NDArray] = field(default_factory=dict)
    memories: dict[str, NDArray] = field(default_factory=dict)
    lengths: dict[str, NDArray] = field(default_factory=dict)


class GivenExtents:
    """The extents of a state and of every call, from shapes and from what is given by the dims' names."""

    def __init__(self, pipeline: Pipeline, named: NamedArrays, wrong: Diagnostics) -> None:
        self.pipeline, self.named, self.wrong = pipeline, named, wrong
        # Dims that are per another after those.
        self.dims = sorted(
            (name for name, dim in pipeline.dims.items() if dim.derived is None),
            key=lambda name: pipeline.dims[name].per is not None,
        )

    def draw(self) -> Draw:
        live = [self._live(call) for call in range(self.named.calls)]
        if self.wrong.has_errors:
            return Draw({}, {})
        capacities = {}
        for name in self.dims:
            sizes = [int(np.max(call[name], initial=0)) for call in live if name in call]
            sizes += [size for size, _ in self._shaped(name, self.named.memories)]
            if sizes and name not in self.pipeline.kept:
                capacities[name] = max(1, *sizes)
        lengths = {}
        for name in self.pipeline.kept:
            lengths[name] = self._start(name, capacities)
            capacities[name] = self._with_growth(name, lengths[name], live)
        missing = [name for name in self.pipeline.state_dims if name not in capacities]
        for name in missing:
            message = f"no array says how long the dim {name} is"
            self.wrong.error(CODE, message, help=f"add it under its own name: `{name}=numpy.array(12)`")
        complete = {name: int(value) for name, value in self.pipeline.with_derived_capacities(capacities).items()}
        if self.wrong.has_errors:
            return Draw({}, {})
        memories, entries = self._memories()
        live = [self._for_all_rows(call, complete) for call in live]
        return Draw(complete, lengths, {}, self.named.weights, memories, self.named.inputs, live, entries)

    def _live(self, call: int) -> dict[str, Any]:
        """The live extents in one call of the dims that the state does not keep."""
        found: dict[str, Any] = {}
        tensors = {**self.named.weights, **self.named.inputs[call]}
        for name in self.dims:
            if name in self.pipeline.kept:
                continue
            sizes = self._shaped(name, tensors)
            other = next((item for item in sizes if item[0] != sizes[0][0]), None)
            if other is not None:
                (size, tensor), (other_size, other_tensor) = sizes[0], other
                self.wrong.error(CODE, f"the dim {name} is {size} in `{tensor}` and {other_size} in `{other_tensor}`")
            per = self.pipeline.dims[name].per
            if name in self.named.lengths:
                rows = int(np.max(found.get(per, 1))) if per is not None else None
                found[name] = self._given(name, rows)
            elif sizes:
                found[name] = sizes[0][0]
            longest = int(np.max(found.get(name, 0), initial=0))
            if sizes and longest > sizes[0][0]:
                size, tensor = sizes[0]
                self.wrong.error(CODE, f"the dim {name} is up to {longest} long, but {size} in `{tensor}`")
            self._check_bound(name, longest)
        return found

    def _shaped(self, name: str, tensors: Arrays) -> list[tuple[int, str]]:
        """The extents of a dim in the shapes of tensors, each with the tensor's name."""
        return [
            (size, tensor)
            for tensor, array in tensors.items()
            for extent, size in zip(self.pipeline.tensors[tensor].extents, array.shape, strict=True)
            if extent == name
        ]

    def _given(self, name: str, rows: int | None) -> NDArray[np.int32]:
        """The lengths that stand under a dim's name."""
        try:
            return length_array(self.named.lengths[name], rows, name)
        except (InputError, CapacityError) as error:
            self.wrong.error(CODE, str(error))
            return np.zeros(rows or 1, np.int32)

    def _check_bound(self, name: str, longest: int) -> None:
        bound = self.pipeline.dims[name].bound
        if longest > bound:
            message = f"the dim {name} is {longest} long, past its bound {bound}"
            self.wrong.error(CODE, message, help=f"-D {name}={longest}")

    def _start(self, name: str, capacities: Mapping[str, int]) -> NDArray[np.int64]:
        """How long a dim that grows is before the first call: as given, else as its memories are, else 0."""
        per = self.pipeline.dims[name].per
        rows = None if per is None else capacities.get(per, 1)
        if name in self.named.lengths:
            found = self._given(name, rows).astype(np.int64)
        else:
            longest = max((size for size, _ in self._shaped(name, self.named.memories)), default=0)
            found = np.full(rows or 1, longest, np.int64)
        longest = int(found.max(initial=0))
        for size, tensor in self._shaped(name, self.named.memories):
            if size < longest:
                message = f"the dim {name} is up to {longest} long, but {size} in the memory `{tensor}`"
                self.wrong.error(CODE, message)
        return found

    def _for_all_rows(self, call: dict[str, Any], capacities: Mapping[str, int]) -> dict[str, Any]:
        """The extents with a length for each row that the state has; a call may be about fewer."""
        found = {}
        for name, lengths in call.items():
            per = self.pipeline.dims[name].per
            if per in self.pipeline.state_dims and np.ndim(lengths) == 1:
                lengths = np.concatenate([lengths, np.zeros(capacities[per] - len(lengths), np.int32)])
            found[name] = lengths
        return found

    def _with_growth(self, name: str, start: NDArray[np.int64], live: list[dict[str, Any]]) -> int:
        """The most rows that a dim has after all calls."""
        longest = int(start.max(initial=0))
        for call in live:
            extents = self.pipeline.with_derived(call)
            for step in self.pipeline.steps.values():
                rows = step.grows.get(name, 0)
                longest += int(np.max(extents.get(rows, 0), initial=0)) if isinstance(rows, str) else rows
        bound = self.pipeline.dims[name].bound
        if longest > bound and int(start.max(initial=0)) <= bound:
            message = f"after {self.named.calls} calls the dim {name} may be {longest} long, past its bound {bound}"
            self.wrong.error(CODE, message, help=f"fewer --calls, or -D {name}={longest}")
        self._check_bound(name, int(start.max(initial=0)))
        return max(longest, 1)

    def _memories(self) -> tuple[dict[str, NDArray], dict[str, tuple[NDArray, NDArray, NDArray]]]:
        """Dense memories as they are given, and the entries of sparse ones."""
        dense, entries = {}, {}
        for name, array in self.named.memories.items():
            if self.pipeline.tensors[name].stored_bound is None:
                dense[name] = array
            else:
                row, column = np.nonzero(array)
                entries[name] = row, column, array[row, column]
        return dense, entries
