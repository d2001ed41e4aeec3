"""Runs a random program for several calls on the oracle and on its twin, and compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from random_programs.tree import Program
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
    """What a program is run on. memories hold the rows before the first call, over `capacity` of T."""

    batch: int
    lengths: list[int]
    capacity: int
    weights: dict[str, np.ndarray]
    memories: dict[str, np.ndarray]
    calls: list[dict[str, np.ndarray]]

    def extents(self, program: Program, call: int) -> dict[str, int | list[int]]:
        """Live extents during that call, its own row included."""
        dims: dict[str, int | list[int]] = {name: dim.size for name, dim in program.dims.items() if dim.size}
        return {**dims, "B": self.batch, "T": [length + call + 1 for length in self.lengths]}


def draw_data(program: Program, seed: int, calls: int = 2) -> Data:
    """Exact values: multiples of 1/4 up to 2, small integers."""
    rng = np.random.default_rng(seed)
    batch = int(rng.integers(1, 4))
    lengths = [int(rng.choice((0, 1, 3, 9, 20))) for _ in range(batch)]
    data = Data(batch, lengths, max(lengths) + calls, {}, {}, [{} for _ in range(calls)])
    sizes = {name: dim.size for name, dim in program.dims.items() if dim.size} | {"B": batch, "T": data.capacity}
    for tensor in program.declared:
        shape = tuple(sizes[dim] for dim in tensor.dims)

        def fresh(
            shape: tuple[int, ...] = shape, kind: str = tensor.kind, low: int = -7 * (tensor.dtype != "u8")
        ) -> np.ndarray:
            return rng.integers(low, 8, shape) if kind == "i" else rng.integers(-8, 9, shape) / 4

        if tensor.role == "weight":
            data.weights[tensor.name] = fresh()
        elif tensor.role == "memory":
            data.memories[tensor.name] = fresh()
        else:
            for call in data.calls:
                call[tensor.name] = fresh()
    return data


def twin_outputs(program: Program, data: Data) -> list[dict[str, Values]]:
    """What the twin says of each call."""
    step = load_twin(print_twin(program))
    pers = {tensor.name: tensor.dims for tensor in program.declared}
    memories = {name: Values.from_array(array) for name, array in data.memories.items()}
    for name, memory in memories.items():
        at = pers[name].index("T")
        for place in [place for place in memory if place[at] >= data.lengths[place[0]]]:
            del memory[place]
    weights = {name: Values.from_array(array) for name, array in data.weights.items()}
    results = []
    for call, inputs in enumerate(data.calls):
        tensors = {name: Values.from_array(array) for name, array in inputs.items()}
        results.append(step(Extents(data.extents(program, call)), {**weights, **memories, **tensors}))
    return results


def compare(
    program: Program, call: int, name: str, expected: Values, actual: np.ndarray, extents: Mapping[str, int | list[int]]
) -> Mismatch | None:
    """Every live element of one output: absent ones are stored 0, -1 (positions) or false."""
    tensor = program.tensors[name]
    for place in np.ndindex(*actual.shape):
        if not _live(tensor.dims, place, program, extents):
            continue
        lane = expected.get(place)
        found = actual[place].item()
        if lane is None:
            lane = {"f": (0.0, 0.0), "i": 0, "x": -1, "b": False}[tensor.kind]
        value, error = lane if isinstance(lane, tuple) else (lane, 0.0)
        agree = value == found or (tensor.kind == "f" and abs(value - found) <= ALLOWED * UNIT * error + 1e-30)
        if not agree:
            return Mismatch(call, name, place, lane, found)
    return None


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
