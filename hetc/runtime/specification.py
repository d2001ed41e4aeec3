"""What a generated host program says of its pipeline: dims, tensors, steps, kernels."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hetc.footprint import stripe_elements
from hetc.runtime.buffers import Stripes
from hetc.runtime.elements import host_dtype
from hetc.runtime.errors import CapacityError, InputError
from hetc.runtime.pages import Rows
from hetc.runtime.regions import Extents
from hetc.runtime.tensors import host_values

LARGEST_LENGTH = 2**31 - 1
"""What kernels are passed: int32."""


@dataclass(frozen=True)
class Dim:
    """A run-time dim: its bound, the dim that it is per, or how it derives from others.

    `derived` maps the lengths of the dims `of`, in order, to this one's; it is applied to whole arrays. `most` maps
    their capacities to what the length never exceeds, where that is another function.
    """

    bound: int
    per: str | None = None
    of: tuple[str, ...] = ()
    derived: Any = None
    most: Any = None


@dataclass(frozen=True)
class Tensor:
    """A declared tensor. `home`: the device kind that keeps a memory (`host` for inputs and weights).

    stored_bound: the most stored entries of a sparse memory, compressed along its first dim; None for a dense one.
    init: what a memory's elements are before they are written. stripes: HBM channels of the home's buffer. layered:
    how many of the first extents are of layers, each in a buffer of its own. rows: where rows lie, for one that is not
    row-major; group: the memory that it shares its rows' or pages' place with. codes: the elements are bytes of codes
    of this type, of so many values in a row (0: one a byte).
    """

    role: Literal["input", "weight", "memory"]
    extents: Extents
    element: str
    home: str = "host"
    stored_bound: int | None = None
    init: float = 0
    stripes: int = 1
    striped_axis: int = -1
    layered: int = 0
    rows: Rows | None = None
    group: str = ""
    codes: tuple[str, int] | None = None

    @property
    def layer(self) -> Tensor:
        """What one buffer holds: what lies at an index of each extent of layers."""
        axis = self.striped_axis - self.layered if self.striped_axis > 0 else self.striped_axis
        return replace(self, extents=self.extents[self.layered :], striped_axis=axis, layered=0)

    @property
    def dims(self) -> tuple[str, ...]:
        return tuple(item for item in self.extents if isinstance(item, str))


@dataclass(frozen=True)
class Step:
    """One step: the rows that it appends along each growing dim (a number or a dim), what it takes and gives."""

    grows: Mapping[str, int | str]
    takes: tuple[str, ...]
    gives: tuple[str, ...]


@dataclass(frozen=True)
class Occupant:
    """What may lie in a slot: a tensor, or one layer of it, and how its rows are dealt to memory channels."""

    extents: Extents
    element: str
    stripes: Stripes | None = None

    def array_bytes(self, capacities: Mapping[str, int]) -> int:
        """Bytes of each of its arrays; 0 where a dim has no capacity yet, so that no such value can be in use."""
        if any(isinstance(size, str) and size not in capacities for size in self.extents):
            return 0
        return self.elements(tuple(capacities[size] if isinstance(size, str) else size for size in self.extents)) * (
            host_dtype(self.element).itemsize
        )

    def elements(self, shape: Sequence[int]) -> int:
        """Elements of each of its arrays."""
        if self.stripes is None:
            return prod(shape)
        return stripe_elements(shape, self.stripes.channels, self.stripes.axis)


@dataclass(frozen=True)
class Pipeline:
    """A compiled pipeline. `devices` are the device kinds that it was placed on. `workspace` says for each what values
    of a call lie there, slot by slot: those of one slot are never in use at one time."""

    name: str
    source: str
    dims: Mapping[str, Dim]
    tensors: Mapping[str, Tensor]
    steps: Mapping[str, Step]
    devices: tuple[str, ...]
    kernels: Mapping[str, str] = field(default_factory=dict)
    workspace: Mapping[str, tuple[tuple[Occupant, ...], ...]] = field(default_factory=dict)

    @cached_property
    def pers(self) -> dict[str, str]:
        return {name: dim.per for name, dim in self.dims.items() if dim.per is not None}

    @cached_property
    def memories(self) -> dict[str, Tensor]:
        return {name: item for name, item in self.tensors.items() if item.role == "memory"}

    @cached_property
    def kept(self) -> tuple[str, ...]:
        """The dims whose lengths a state keeps: those that some step appends along, and those of rows in pages or
        records, which the caller fills where no step does."""
        grown = (dim for step in self.steps.values() for dim in step.grows)
        placed = (item.dims[-1] for item in self.memories.values() if item.rows is not None)
        return tuple(dict.fromkeys([*grown, *placed]))

    @cached_property
    def state_dims(self) -> tuple[str, ...]:
        """The dims (derived ones aside) that a state is allocated by: those of memories, and those that it keeps."""
        named = [dim for item in self.memories.values() for dim in item.dims]
        plain: dict[str, None] = {}
        for dim in [*named, *self.kept]:
            for source in self.dims[dim].of or (dim,):
                plain.update({source: None} | ({per: None} if (per := self.dims[source].per) else {}))
        return tuple(name for name in self.dims if name in plain)

    @cached_property
    def ordered_dims(self) -> tuple[str, ...]:
        """The dims that no other gives, each after the one that it is per."""
        own = [name for name, dim in self.dims.items() if dim.derived is None]
        return tuple(sorted(own, key=lambda name: self.dims[name].per is not None))

    def capacities(self, given: Mapping[str, int], needed: Sequence[str]) -> dict[str, int]:
        """Checked capacities of the dims `needed`. Raises InputError, CapacityError."""
        unknown = [name for name in given if name not in self.dims]
        if unknown:
            raise InputError(f"pipeline '{self.name}' has no dim '{unknown[0]}'; it has {', '.join(self.dims)}")
        missing = [name for name in needed if name not in given]
        if missing:
            raise InputError(f"the state of '{self.name}' needs a capacity for {', '.join(missing)}")
        checked = {name: whole_number(value, f"capacity {name}") for name, value in given.items()}
        for name, value in checked.items():
            if self.dims[name].derived is not None:
                sources = ", ".join(self.dims[name].of)
                raise InputError(f"capacity {name}={value}: it follows from {sources}; give that alone")
            if not 0 < value <= self.dims[name].bound:
                raise CapacityError(f"capacity {name}={value}: expected 1 to {self.dims[name].bound} (its bound)")
        return checked

    def with_derived(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Lengths with those of derived dims added."""
        return self._complete(values, most=False)

    def with_derived_capacities(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Capacities with those of derived dims added: the most that lengths within them give."""
        return self._complete(values, most=True)

    def _complete(self, values: Mapping[str, Any], most: bool) -> dict[str, Any]:
        complete = dict(values)
        for name, dim in self.dims.items():
            if dim.derived is not None and all(source in complete for source in dim.of):
                function = dim.most if most and dim.most is not None else dim.derived
                complete[name] = function(*(complete[source] for source in dim.of))
        return complete


def highest(*values: Any) -> Any:
    """The largest of numbers, or of arrays element by element."""
    return reduce(np.maximum, values)


def lowest(*values: Any) -> Any:
    """The least of numbers, or of arrays element by element."""
    return reduce(np.minimum, values)


def whole_number(value: object, what: str) -> int:
    """An integer of Python, numpy or torch. Raises InputError for anything else: `True`, 2.0 and "2" are none."""
    try:
        if not isinstance(value, bool):
            return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        pass
    raise InputError(f"{what}: expected an integer, got {value!r}")


def length_array(value: object, rows: int | None, name: str) -> NDArray[np.int32]:
    """A dim's lengths as int32: [1], or [rows] for a dim per another (one number stands for all rows)."""
    array = host_values(value, f"dim {name}")
    if array.dtype.kind not in "iu" or array.ndim > 1 or (array.ndim == 1 and rows is None and array.size != 1):
        expected = "an integer" if rows is None else f"an integer or {rows} integers"
        raise InputError(f"dim {name}: expected {expected} as its length, got {array.dtype}{list(array.shape)}")
    if rows is not None and array.ndim == 1 and array.size != rows:
        raise InputError(f"dim {name}: expected {rows} lengths, got {array.size}")
    if array.size and not 0 <= int(array.min()) <= int(array.max()) <= LARGEST_LENGTH:
        raise CapacityError(f"dim {name}: lengths {array.tolist()} lie outside of 0 to {LARGEST_LENGTH}")
    return np.array(np.broadcast_to(array, (1 if rows is None else rows,)), dtype=np.int32)
