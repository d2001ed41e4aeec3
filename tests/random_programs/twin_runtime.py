"""What a printed twin computes with: tensors of lanes, live extents, reductions and selections over lanes.

Nothing here comes from the compiler.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from random_programs.twin_numbers import Lane, multiply, negate, quotient, wrap, wrap_long
from random_programs.twin_rounding import store

Place = Any
"""An index, or a tuple of several."""


class Extents:
    """Live extents of one call: a number, or one a row."""

    def __init__(self, dims: Mapping[str, int | list[int]]):
        self.dims = dims

    def of(self, dim: str, row: int | None = None) -> int:
        value = self.dims[dim]
        return value if isinstance(value, int) else value[row]  # type: ignore[index]

    def span(self, dim: str, row: int | None = None) -> range:
        return range(self.of(dim, row))

    def places(self, dims: tuple[tuple[str, int | None], ...], first: int | None = None) -> Iterator[tuple[int, ...]]:
        """The live places of a tensor over dims, each with the position of its row for one per another; with `first`
        those of a layer."""

        def visit(place: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
            if len(place) == len(dims):
                yield place
                return
            dim, row = dims[len(place)]
            for index in self.span(dim, None if row is None else place[row]):
                yield from visit((*place, index))

        return visit(()) if first is None else visit((first,))


class Values(dict[tuple[int, ...], Lane]):
    """A tensor's lanes by position; what is not in it is absent."""

    @classmethod
    def from_array(cls, array: np.ndarray) -> Values:
        floats = array.dtype.kind == "f"
        return cls({place: (float(value), 0.0) if floats else value.item() for place, value in np.ndenumerate(array)})

    def read(self, *indices: int | None) -> Lane:
        return self.get(indices)  # type: ignore[call-overload]


def in_range(index: int | None, size: int) -> bool:
    return index is not None and 0 <= index < size


def present(lanes: Iterable[Lane]) -> list[Lane]:
    return [lane for lane in lanes if lane is not None]


def total(lanes: Iterable[Lane]) -> Lane:
    kept = present(lanes)
    size = sum(abs(value) for value, _ in kept)
    return (math.fsum(value for value, _ in kept), sum(error for _, error in kept) + len(kept) * size)


def mean(lanes: Iterable[Lane]) -> Lane:
    kept = present(lanes)
    if not kept:
        return (0.0, 0.0)
    value, error = total(kept)
    return quotient((value, error), len(kept))


def product(lanes: Iterable[Lane]) -> Lane:
    result: Lane = (1.0, 0.0)
    for lane in present(lanes):
        result = multiply(result, lane)
    return result


def largest(lanes: Iterable[Lane]) -> Lane:
    kept = present(lanes)
    return (max((v for v, _ in kept), default=-math.inf), max((e for _, e in kept), default=0.0))


def smallest(lanes: Iterable[Lane]) -> Lane:
    kept = present(lanes)
    return (min((v for v, _ in kept), default=math.inf), max((e for _, e in kept), default=0.0))


def sum_of_integers(lanes: Iterable[Lane]) -> int:
    return wrap(sum(present(lanes)))


def product_of_integers(lanes: Iterable[Lane]) -> int:
    return wrap(math.prod(present(lanes)))


def largest_integer(lanes: Iterable[Lane]) -> int:
    return max(present(lanes), default=-(2**31))


def smallest_integer(lanes: Iterable[Lane]) -> int:
    return min(present(lanes), default=2**31 - 1)


def sum_of_longs(lanes: Iterable[Lane]) -> int:
    return wrap_long(sum(present(lanes)))


def largest_long(lanes: Iterable[Lane]) -> int:
    return max(present(lanes), default=-(2**63))


def smallest_long(lanes: Iterable[Lane]) -> int:
    return min(present(lanes), default=2**63 - 1)


def argument_of(best: Any, lanes: Iterable[tuple[Place, Lane]]) -> Place | None:
    """argmax / argmin: the first index whose value is the best; absent over nothing."""
    kept = [(index, _plain(lane)) for index, lane in lanes if lane is not None]
    if not kept:
        return None
    extreme = best(value for _, value in kept)
    return next(index for index, value in kept if value == extreme)


def softmax(lanes: Mapping[Place, Lane]) -> Iterator[tuple[Place, Lane]]:
    kept = {index: lane for index, lane in lanes.items() if lane is not None}
    if not kept:
        return
    top = max(value for value, _ in kept.values())
    parts = {index: math.exp(value - top) for index, (value, _) in kept.items()}
    whole = math.fsum(parts.values())
    worst = max(abs(value) + error for value, error in kept.values())
    for index, part in parts.items():
        yield index, (part / whole, part / whole * (8 + 4 * worst + len(kept)) + 1e-3)


def topk(lanes: Iterable[tuple[Place, Lane]], k: int, order: str) -> list[tuple[Place, Lane]]:
    """(index, score) of at most k, highest first and ties by lower index (or ascending by index); exact scores."""
    kept = [(index, lane) for index, lane in lanes if lane is not None]
    candidates = [(index, lane) for index, lane in kept if _plain(lane) == _plain(lane) and _plain(lane) != -math.inf]
    best = sorted(candidates, key=lambda pair: (-_plain(pair[1]), pair[0]))[:k]
    return sorted(best) if order == "index" else best


def select(triples: Iterable[tuple[Place, Lane, Lane]], capacity: int, strict: bool) -> list[Place]:
    """Ascending indices whose score passes; where more do than fit, the best stay, ties by lower index. Exact."""
    kept = [
        (index, _plain(score), _plain(limit))
        for index, score, limit in triples
        if score is not None and limit is not None
    ]
    passing = [(index, score) for index, score, limit in kept if score > limit or (score == limit and not strict)]
    best = sorted(passing, key=lambda pair: (-pair[1], pair[0]))[:capacity]
    return sorted(index for index, _ in best)


def _plain(lane: Lane) -> Any:
    """A lane without what it may be off by."""
    return lane[0] if isinstance(lane, tuple) else lane


def in_order(lanes: Iterable[tuple[Place, Lane]], descending: bool) -> list[tuple[Place, Lane]]:
    """(index, lane) of what is present, by value, equal ones by index. Exact."""
    kept = [(index, lane, _plain(lane)) for index, lane in lanes if lane is not None]
    ordered = sorted(kept, key=lambda item: (-item[2] if descending else item[2], item[0]))
    return [(index, lane) for index, lane, _ in ordered]


# Memories


def filled(values: Values, places: Iterable[tuple[int, ...]], zero: Lane) -> Values:
    """A tensor as it is once stored: what is absent at one of the places is zero."""
    stored = Values(values)
    for place in places:
        lane = stored.get(place)
        if lane is None or (zero == -1 and not -(2**31) <= lane < 2**31):  # an index is stored in 32 bits
            stored[place] = zero
    return stored


def begun(
    dtype: str,
    memory: Values,
    values: Values,
    dims: tuple[int, ...],
    live: Iterable[tuple[int, ...]],
    rows: tuple[int, ...],
    known: set[tuple[int, ...]],
) -> Values:
    """A memory of which rows that are not `known` begin, now live, with a tensor's values; `dims` are those of its dims
    that the tensor has, and `rows` those that are known at run time."""
    changed = Values(memory)
    places = list(live)
    for place in places:
        if tuple(place[dim] for dim in rows) not in known:
            changed[place] = store(dtype, values[tuple(place[dim] for dim in dims)])
    known.update(tuple(place[dim] for dim in rows) for place in places)
    return changed


def other_layers(values: Values, layer: int) -> Values:
    """A memory without one of its layers."""
    return Values({place: lane for place, lane in values.items() if place[0] != layer})


def add_writes(memory: Values, writes: list[tuple[tuple[int, ...], Lane]], dtype: str, sign: str) -> None:
    """Add to elements of a memory everything that is written to each, or subtract it, and round once."""
    found: dict[tuple[int, ...], list[Lane]] = {}
    for place, lane in writes:
        if lane is not None:
            found.setdefault(place, [memory[place]]).append(lane)
    for place, (old, *lanes) in found.items():
        if isinstance(old, tuple):
            lanes = [lane if sign == "+" else negate(lane) for lane in lanes]
            memory[place] = store(dtype, total([old, *lanes]))
        else:
            whole = old + sum(lanes) if sign == "+" else old - sum(lanes)
            memory[place] = store(dtype, wrap_long(whole) if dtype == "i64" else wrap(whole))


def append_columns(memory: Values, terms: Values, rows: int, columns: int, new: int) -> Values:
    """Columns that count their row numbers, negative ones skipped; `terms` has a row a column, or is one."""
    grown = Values(memory)
    for column in range(columns - new, columns):
        for row in range(rows):
            grown[row, column] = 0
        for place, row in terms.items():
            if row >= 0 and (len(place) == 1 or place[0] == column - (columns - new)):
                grown[row, column] += 1
    return grown
