"""What a random program's twin says of each call, and the comparison of what something else computed with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from random_programs.data import Call, Data, Sizes, draw_data
from random_programs.program import Program
from random_programs.tree import Tensor, absent_lane
from random_programs.twin import load_twin, print_twin
from random_programs.twin_numbers import ALLOWED, UNIT, exact
from random_programs.twin_rounding import store
from random_programs.twin_runtime import Extents, Values


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
class Expected:
    """What a call gives: its outputs' lanes, live extents during it, and afterwards memories and lengths; the batch of
    the state."""

    call: Call
    outputs: dict[str, Values]
    extents: dict[str, int | list[int]]
    memories: dict[str, Values]
    lengths: dict[str, int | list[int]]
    batch: int


def expectations(program: Program, calls: int | None = None) -> tuple[Data, list[Expected]]:
    """The data of a program and what the twin says of each call."""
    data = draw_data(program, program.seed, calls)
    steps = load_twin(print_twin(program))
    lengths = dict(data.lengths)
    state: dict[str, object] = {}
    for tensor in program.memories:
        state[tensor.name] = _begins(program, data, tensor)
    weights = {name: Values.from_array(array) for name, array in data.weights.items()}
    stored = {tensor.name: Values() for tensor in program.memories if tensor.ring}
    results = []
    for call in data.calls:
        extents = data.during(program, call, lengths)
        inputs = {
            name: _live(program, program.tensors[name], Values.from_array(array), extents)
            for name, array in call.inputs.items()
        }
        given = {**state, **weights, **inputs}
        others: dict[str, Values] = {}
        for tensor in program.memories:  # what the call is not about stays
            whole = given[tensor.name]
            assert isinstance(whole, Values)
            given[tensor.name] = _live(program, tensor, whole, extents)
            others[tensor.name] = Values({place: whole[place] for place in whole if place not in given[tensor.name]})  # type: ignore[operator]
        outputs, cleared = steps[f"step_{call.step.name}"](Extents(extents), given)
        state = {name: value for name, value in given.items() if name not in weights and name not in call.inputs}
        lengths = {dim: _left(extents[dim], cleared.get(("all", dim), False), cleared.get(dim, [])) for dim in lengths}
        for tensor in program.memories:
            whole = Values({**others[tensor.name], **state[tensor.name]})  # type: ignore[dict-item]
            state[tensor.name] = _live(program, tensor, whole, lengths)
            if tensor.ring:
                stored[tensor.name].update(state[tensor.name])  # type: ignore[call-overload]
                count = state[f"{tensor.name}_count"]
                assert isinstance(count, int)
                state[tensor.name] = _written(program, tensor, stored[tensor.name], count, data.batch)
        memories = {tensor.name: Values(state[tensor.name]) for tensor in program.memories}  # type: ignore[call-overload]
        results.append(Expected(call, outputs, extents, memories, lengths, data.batch))  # type: ignore[arg-type]
    return data, results


def _begins(program: Program, data: Data, tensor: Tensor) -> Values:
    if tensor.name in data.memories:
        array = data.memories[tensor.name]
        return _live(program, tensor, Values.from_array(array * 1.0 if tensor.kind == "q" else array), data.lengths)
    if tensor.ring:
        return Values()
    shape = [program.dims[dim].size or data.capacity.get(dim, data.batch) for dim in tensor.dims]
    start = 0 if isinstance(tensor.initial, str) else tensor.initial or 0
    lane = exact(start) if tensor.kind == "f" else bool(start) if tensor.kind == "b" else int(start)
    return Values({place: store(tensor.dtype, lane) for place in np.ndindex(*shape)})


def _written(program: Program, tensor: Tensor, stored: Values, count: int, batch: int) -> Values:
    """What a ring holds: its slots count for all rows of the batch, and in those that a call was not about lies what
    lay there before, 0 at first."""
    sizes = [program.dims[dim].size for dim in tensor.dims]
    slot = next(place for place, size in enumerate(sizes) if size)
    places = np.ndindex(*(batch if size is None else size for size in sizes))
    return Values({at: stored.get(at, absent_lane(tensor)) for at in places if at[slot] < count})


def _left(length: int | list[int], whole: bool, rows: list[bool]) -> int | list[int]:
    """How long a dim is after a call that empties it, or some of its rows."""
    if isinstance(length, list):
        return [0 if whole or gone else each for each, gone in zip_longest(length, rows, fillvalue=False)]
    return 0 if whole else length


def _live(program: Program, tensor: Tensor, values: Values, lengths: Sizes) -> Values:
    """A tensor without what lies past its dims' lengths."""
    known = {dim: lengths[dim] for dim in tensor.dims if dim in lengths}
    return Values({place: lane for place, lane in values.items() if _inside(tensor.dims, place, program, known)})


def compare(
    program: Program, number: int, tensor: Tensor, expected: Values, actual: np.ndarray, extents: Sizes
) -> Mismatch | None:
    """Every live element of one output, absent ones as they are stored."""
    if tensor.name.startswith("any"):
        expected, actual = _without_order(expected, tensor, actual.shape[-1]), np.sort(actual, axis=-1)
    for place in np.ndindex(*actual.shape):
        if not _inside(tensor.dims, place, program, extents):
            continue
        lane = expected.get(place)
        found = actual[place].item()
        if lane is None and tensor.ring:
            continue  # a slot that was not written
        if lane is None:
            lane = absent_lane(tensor)
        value, error = lane if isinstance(lane, tuple) else (lane, 0.0)
        near = tensor.kind in "fq" and abs(value - found) <= ALLOWED * UNIT * error + 1e-30
        if not (value == found or near):
            return Mismatch(number, tensor.name, place, lane, found)
    return None


def compare_call(
    program: Program,
    number: int,
    expected: Expected,
    outputs: Mapping[str, np.ndarray],
    memories: Mapping[str, np.ndarray],
    lengths: Mapping[str, np.ndarray],
) -> Mismatch | None:
    """The first difference in a call's outputs, in the lengths that it leaves, and in the memories."""
    for name in expected.call.step.outputs:
        tensor = program.tensors[name]
        found = compare(program, number, tensor, expected.outputs[name], outputs[name], expected.extents)
        if found is not None:
            return found
    for dim, length in expected.lengths.items():
        actual = np.atleast_1d(lengths[dim]).tolist()
        if actual != np.atleast_1d(length).tolist():
            return Mismatch(number, f"length of {dim}", (), length, actual)
    after = {**expected.extents, "B": expected.batch, **expected.lengths}
    for name, array in memories.items():
        found = compare(program, number, program.tensors[name], expected.memories[name], array, after)
        if found is not None:
            return Mismatch(number, f"{name} afterwards", found.place, found.expected, found.actual)
    return None


def _without_order(lanes: Values, tensor: Tensor, count: int) -> Values:
    """The same with the `count` lanes of each last position ascending, absent ones as they are stored: a selection in
    any order."""
    sorted_lanes = Values()
    for prefix in {place[:-1] for place in lanes}:
        row = [lane for place, lane in lanes.items() if place[:-1] == prefix]
        row += [absent_lane(tensor)] * (count - len(row))
        sorted_lanes.update({(*prefix, position): lane for position, lane in enumerate(sorted(row))})
    return sorted_lanes


def _inside(dims: tuple[str, ...], place: tuple[int, ...], program: Program, extents: Sizes) -> bool:
    """Whether a place lies within the extents that are known."""
    for dim, index in zip(dims, place, strict=True):
        size = extents.get(dim)
        if isinstance(size, list):
            size = size[place[dims.index(program.dims[dim].per or "")]]
        if size is not None and index >= size:
            return False
    return True
