"""What a random program is run on: which step each call is of, extents, inputs, weights and memories, all exact."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from random_programs.program import Program, Step
from random_programs.tree import LIMITS, Tensor

Sizes = Mapping[str, int | list[int]]


@dataclass
class Call:
    """One call. batch: the rows of the batch that it is about, the first ones of the state's. growth: the rows that
    each dim of the step grows by. sizes: extents of the run-time dims that neither grow nor are derived, B aside.
    inputs: what the step takes."""

    step: Step
    batch: int
    growth: dict[str, int]
    sizes: dict[str, int | list[int]]
    inputs: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass
class Data:
    """lengths: of the dims that the state keeps before the first call, one a row for a dim per another; capacity:
    enough for all calls. memories: the contents before the first call, over the capacity; those that begin with what
    the program says are not among them."""

    batch: int
    lengths: dict[str, int | list[int]]
    capacity: dict[str, int]
    weights: dict[str, np.ndarray]
    memories: dict[str, np.ndarray]
    calls: list[Call]

    def during(self, program: Program, call: Call, lengths: Sizes) -> dict[str, int | list[int]]:
        """Live extents during a call, its own rows included, where `lengths` are those before it."""
        found: dict[str, int | list[int]] = {name: dim.size for name, dim in program.dims.items() if dim.size}
        found |= {"B": call.batch, **call.sizes}
        for dim, length in lengths.items():
            rows = call.growth.get(dim, 0)
            found[dim] = length + rows if isinstance(length, int) else _grown(length, rows, call.batch)
        return _with_derived(program, found)


def _grown(lengths: list[int], rows: int, batch: int) -> list[int]:
    """The lengths of each row, those that a call is not about as they were."""
    return [each + rows * (number < batch) for number, each in enumerate(lengths)]


def _with_derived(program: Program, sizes: Sizes) -> dict[str, int | list[int]]:
    found = dict(sizes)
    for dim in program.dims.values():
        if dim.derived is not None and dim.size is None:
            whole = found[dim.derived[1]]
            of_rows = isinstance(whole, list)
            found[dim.name] = [derived(dim.derived, x) for x in whole] if of_rows else derived(dim.derived, whole)
    return found


def derived(rule: tuple[str, str, int | str], whole: int) -> int:
    """The value of a derived dim."""
    function, _, by = rule
    assert isinstance(by, int)
    results = {"//": whole // by, "ceildiv": -(-whole // by), "+": whole + by, "-": whole - by, "min": min(whole, by)}
    return max(results[function], 0)


def draw_data(program: Program, seed: int, calls: int | None = None) -> Data:
    """Exact values: multiples of 1/4 up to 2, small integers. A tensor's values depend on its name and shape alone."""
    rng = np.random.default_rng(seed)
    batch = int(rng.integers(1, 4))
    rows = [int(rng.choice((0, 1, 3, 9, 20))) for _ in range(batch)]
    plain = int(rng.choice((0, 1, 4, 11)))
    count = int(rng.integers(2, 4))
    order = [int(each) for each in rng.permutation(64)]
    sizes = [[int(each) for each in rng.integers(0, 4, 8)] for _ in range(12)]
    steps = _order(program, order, count if calls is None else calls, exact=calls is not None)
    lengths = {dim: rows if program.dims[dim].per else plain for dim in sorted(program.kept)}
    found = []
    for step, drawn in zip(steps, sizes, strict=False):
        given: dict[str, int | list[int]] = {}
        for number, (name, dim) in enumerate(program.dims.items()):
            if dim.size is None and dim.derived is None and name not in program.kept and name != "B":
                each = [min(size + 1, dim.bound) for size in drawn[:batch]]
                given[name] = min(drawn[number % 8], dim.bound) if dim.per is None else each
        growth = {dim: _rows(program, by, given) for dim, by in step.grows.items()}
        shapes = [program.tensors[name] for name in _taken(program, step)]
        fewer = drawn[7] == 0 and any("B" in tensor.dims for tensor in shapes)
        found.append(Call(step, max(1, batch - fewer), growth, given))
    capacity = {
        dim: int(np.max(size)) + sum(call.growth.get(dim, 0) for call in found) for dim, size in lengths.items()
    }
    capacity = {dim: max(size, 1) for dim, size in capacity.items()}
    data = Data(batch, lengths, capacity, {}, {}, found)
    for tensor in program.declared:
        values = np.random.default_rng([seed, zlib.crc32(tensor.name.encode())])
        if tensor.role == "input":
            for call in data.calls:
                call.inputs[tensor.name] = _fresh(values, tensor, program, {**call.sizes, "B": call.batch})
        elif tensor.role == "weight":
            data.weights[tensor.name] = _fresh(values, tensor, program, {})
        elif tensor.initial is None and not tensor.ring:
            data.memories[tensor.name] = _fresh(values, tensor, program, {**capacity, "B": batch})
    for call in data.calls:
        taken = _taken(program, call.step)
        call.inputs = {name: array for name, array in call.inputs.items() if name in taken}
    return data


def _taken(program: Program, step: Step) -> tuple[str, ...]:
    """The inputs that a step is given: those that it names, else all."""
    every = tuple(tensor.name for tensor in program.declared if tensor.role == "input")
    return every if step.inputs is None else step.inputs


def _order(program: Program, order: list[int], count: int, exact: bool) -> list[Step]:
    """The step of each call: every step, and two calls more."""
    steps = list(program.steps)
    if len(steps) == 1:
        return steps * count
    many = count if exact else min(len(steps) + count, 6)
    first = sorted(range(len(steps)), key=lambda number: order[number])
    return [steps[first[call] if call < len(first) else order[call] % len(steps)] for call in range(many)]


def _rows(program: Program, by: int | str, sizes: Mapping[str, int | list[int]]) -> int:
    if isinstance(by, int):
        return by
    rows = program.dims[by].size or sizes[by]
    assert isinstance(rows, int)
    return rows


def _wide(rng: np.random.Generator, tensor: Tensor, shape: tuple[int, ...]) -> np.ndarray:
    """Small numbers, and others around the limits of f32's integers, of 32 bits and of 64."""
    numbers = [2**16, 2**24 - 1, 2**24 + 1, 2**30, 2**31 - 1, -(2**31), -(2**24)]
    numbers += [2**31, 2**32, 2**32 + 1, -(2**32), 2**40, 2**63 - 1, -(2**63)] if tensor.kind == "l" else []
    drawn = np.array(numbers)[rng.integers(0, len(numbers), shape)]
    return np.where(rng.random(shape) < 0.6, rng.integers(-2, 6, shape), drawn)


def _fresh(rng: np.random.Generator, tensor: Tensor, program: Program, sizes: Sizes) -> np.ndarray:
    shape = tuple(program.dims[dim].size or int(np.max(sizes[dim])) for dim in tensor.dims)
    if tensor.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if tensor.dtype == "e8m0":
        return 2.0 ** rng.integers(-2, 2, shape)
    if tensor.dtype == "fp4":
        return rng.integers(-4, 5, shape) / 2
    if tensor.kind == "f":
        return rng.integers(-8, 9, shape) / 4
    if tensor.largest >= 2.0**31:
        return _wide(rng, tensor, shape)
    if tensor.kind == "l":
        return rng.integers(-(2**40), 2**40, shape)
    if tensor.name.startswith("terms"):  # row numbers of a sparse memory
        rows = next(item for item in program.declared if item.dtype.startswith("sparse")).dims[0]
        return rng.integers(-2, program.dims[rows].size or 0, shape)
    if tensor.dtype.startswith("sparse"):
        return rng.integers(0, 4, shape) * rng.integers(0, 2, shape)
    low, high = LIMITS[tensor.dtype]
    largest = int(tensor.largest)
    return rng.integers(max(low, -largest), min(high, largest) + 1, shape)
