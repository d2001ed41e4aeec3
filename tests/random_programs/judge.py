"""Runs a random program for several calls on the oracle and on its twin, and compares."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from random_programs.tree import Program, Tensor
from random_programs.twin import load_twin, print_twin
from random_programs.twin_runtime import Extents, Values

UNIT = 2.0**-23
"""A rounding of f32. Twins count errors in these; a few are allowed for each counted one."""
ALLOWED = 6


@dataclass(frozen=True)
class Mismatch:
    """The first difference found: what, where, and both values."""

    call: int
    output: str
    place: tuple[int, ...]
    expected: object
    actual: object

    def __str__(self) -> str:
        place = ", ".join(map(str, self.place))
        return f"call {self.call}: {self.output}[{place}] is {self.actual}, the twin says {self.expected}"


@dataclass
class Data:
    """What a program is run on.

    lengths: of the growing dims before the first call, one a row for a dim per another; capacity: enough for all calls.
    growth: for each call the rows that a growing dim gets, and the extents of the other run-time dims.
    memories: the contents before the first call, over the capacity.
    """

    batch: int
    lengths: dict[str, int | list[int]]
    capacity: dict[str, int]
    growth: list[dict[str, int]]
    weights: dict[str, np.ndarray]
    memories: dict[str, np.ndarray]
    calls: list[dict[str, np.ndarray]]

    def extents(self, program: Program, call: int) -> dict[str, int | list[int]]:
        """Live extents during that call, its own rows included."""
        found: dict[str, int | list[int]] = {name: dim.size for name, dim in program.dims.items() if dim.size}
        found |= {"B": self.batch, **self.growth[call]}
        for dim, length in self.lengths.items():
            rows = sum(growth[dim] for growth in self.growth[: call + 1])
            found[dim] = [each + rows for each in length] if isinstance(length, list) else length + rows
        return _with_derived(program, found)

    def capacities(self, program: Program) -> dict[str, int]:
        """What every run-time dim stays within in all calls."""
        found = {name: dim.bound for name, dim in program.dims.items() if dim.size is None}
        return _with_derived(program, {**found, "B": self.batch, **self.capacity})  # type: ignore[return-value]


def _with_derived(program: Program, sizes: Mapping[str, int | list[int]]) -> dict[str, int | list[int]]:
    found = dict(sizes)
    for dim in program.dims.values():
        if dim.derived is not None:
            function, base, divisor = dim.derived
            spare = divisor - 1 if function == "ceildiv" else 0
            whole = found[base]
            each = isinstance(whole, list)
            found[dim.name] = [(x + spare) // divisor for x in whole] if each else (whole + spare) // divisor
    return found


def draw_data(program: Program, seed: int, calls: int | None = None) -> Data:
    """Exact values: multiples of 1/4 up to 2, small integers. A tensor's values depend on its name and shape alone."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 4)) if calls is None else calls
    batch = int(rng.integers(1, 4))
    rows = [int(rng.choice((0, 1, 3, 9, 20))) for _ in range(batch)]
    plain = int(rng.choice((0, 1, 4, 11)))
    new = [int(each) for each in rng.integers(0, 4, 8)]
    lengths: dict[str, int | list[int]] = {}
    for name in program.grows:
        lengths[name] = rows if program.dims[name].per else plain
    growth = []
    for call in range(count):
        given = {name: new[call] for name, dim in program.dims.items() if name == "M" and dim.size is None}
        grown = {
            name: new[call] if isinstance(by, str) and by in given else _constant(program, by)
            for name, by in program.grows.items()
        }
        growth.append({**given, **grown})
    capacity = {name: int(np.max(length)) + sum(each[name] for each in growth) for name, length in lengths.items()}
    data = Data(batch, lengths, capacity, growth, {}, {}, [{} for _ in range(count)])
    for tensor in program.declared:
        values = np.random.default_rng([seed, zlib.crc32(tensor.name.encode())])
        if tensor.role == "input":
            for call, given in zip(growth, data.calls, strict=True):
                given[tensor.name] = _fresh(
                    values,
                    tensor,
                    program,
                    {**capacity, "B": batch, **{name: size for name, size in call.items() if name not in capacity}},
                )
        else:
            where = data.weights if tensor.role == "weight" else data.memories
            where[tensor.name] = _fresh(values, tensor, program, {**capacity, "B": batch})
    return data


def _constant(program: Program, by: int | str) -> int:
    return by if isinstance(by, int) else program.dims[by].size or 0


def _fresh(rng: np.random.Generator, tensor: Tensor, program: Program, sizes: Mapping[str, int]) -> np.ndarray:
    shape = tuple(program.dims[dim].size or sizes[dim] for dim in tensor.dims)
    if tensor.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if tensor.kind == "f":
        return rng.integers(-8, 9, shape) / 4
    if tensor.kind == "l":
        return rng.integers(-(2**40), 2**40, shape)
    if tensor.name == "terms":  # row numbers of a sparse memory
        rows = next(item for item in program.declared if item.dtype.startswith("sparse")).dims[0]
        return rng.integers(-2, program.dims[rows].size or 0, shape)
    if tensor.dtype.startswith("sparse"):
        return rng.integers(0, 4, shape) * rng.integers(0, 2, shape)
    return rng.integers(-7 * (tensor.dtype != "u8"), 8, shape)


def twin_outputs(program: Program, data: Data) -> list[dict[str, Values]]:
    """What the twin says of each call."""
    step = load_twin(print_twin(program))
    memories = {name: Values.from_array(array) for name, array in data.memories.items()}
    for name, memory in memories.items():
        dims = program.tensors[name].dims
        for dim in data.lengths.keys() & set(dims):
            length, at = data.lengths[dim], dims.index(dim)
            for place in list(memory):
                if place[at] >= (length[place[0]] if isinstance(length, list) else length):
                    del memory[place]
    weights = {name: Values.from_array(array) for name, array in data.weights.items()}
    results = []
    for call, inputs in enumerate(data.calls):
        tensors = {name: Values.from_array(array) for name, array in inputs.items()}
        given = {**weights, **memories, **tensors}
        results.append(step(Extents(data.extents(program, call)), given))
        memories = {name: given[name] for name in memories}
    return results


def compare(
    program: Program, call: int, name: str, expected: Values, actual: np.ndarray, extents: Mapping[str, int | list[int]]
) -> Mismatch | None:
    """Every live element of one output: absent ones are stored 0, -1 (positions) or false."""
    tensor = program.tensors[name]
    if name.startswith("any"):
        expected, actual = _without_order(expected), np.sort(actual, axis=-1)
    for place in np.ndindex(*actual.shape):
        if not _live(tensor.dims, place, program, extents):
            continue
        lane = expected.get(place)
        found = actual[place].item()
        if lane is None:
            lane = {"f": (0.0, 0.0), "i": 0, "l": 0, "x": -1, "b": False}[tensor.kind]
        value, error = lane if isinstance(lane, tuple) else (lane, 0.0)
        agree = value == found or (tensor.kind == "f" and abs(value - found) <= ALLOWED * UNIT * error + 1e-30)
        if not agree:
            return Mismatch(call, name, place, lane, found)
    return None


def _without_order(lanes: Values) -> Values:
    """The same with the last position's lanes ascending: a selection whose order nobody asked for."""
    sorted_lanes = Values()
    for prefix in {place[:-1] for place in lanes}:
        row = sorted(lane for place, lane in lanes.items() if place[:-1] == prefix)
        sorted_lanes.update({(*prefix, position): lane for position, lane in enumerate(row)})
    return sorted_lanes


def _live(
    dims: tuple[str, ...], place: tuple[int, ...], program: Program, extents: Mapping[str, int | list[int]]
) -> bool:
    for dim, index in zip(dims, place, strict=True):
        size = extents[dim]
        if isinstance(size, list):
            size = size[place[dims.index(program.dims[dim].per or "")]]
        if index >= size:
            return False
    return True
