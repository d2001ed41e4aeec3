"""Random extents of a pipeline's run-time dims, with room for what the steps append."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hetc.diagnostics import EXIT_USAGE, Diagnostic, DiagnosticError, suggest
from hetc.dialects.mp import ClearOp, PipelineOp, extent_key
from hetc.dialects.mp.derived import most_of, value_of

LARGEST_BATCH = 4
"""Rows that other dims have lengths for."""


@dataclass
class Extents:
    """capacities: what the state is allocated with, a number for each run-time dim. lengths: the live extents before
    the first step of each dim that a memory grows along: int64[rows] for a dim per another, else int64[1]. ragged: the
    live extents in every call of each other dim that is per another, int64[rows]."""

    capacities: dict[str, int]
    lengths: dict[str, np.ndarray]
    ragged: dict[str, np.ndarray] = field(default_factory=dict)

    def extent(self, size: int | str) -> int:
        """A constant extent, or a dim's capacity."""
        return self.capacities[size] if isinstance(size, str) else size


def draw_extents(
    pipeline: PipelineOp, rng: np.random.Generator, calls: int, given: Mapping[str, int | list[int]], largest: int
) -> Extents:
    """Extents that `calls` calls of each step fit in (see `draw`)."""
    for name, size in given.items():
        _check_given(pipeline, name, size)
    growth = _growth(pipeline)
    plain = {
        name: _extent(
            given.get(name),
            min(dim.largest, LARGEST_BATCH if _is_batch(pipeline, name) else largest),
            rng,
        )
        for name, dim in pipeline.dims.items()
        if not dim.is_static and name not in growth and dim.derived is None
    }
    added = _fitted(pipeline, growth, plain, calls, frozenset(given))
    lengths, capacities = {}, dict(plain)
    for name in growth:
        dim = pipeline.dims[name]
        count = plain[dim.per.data] if dim.per is not None else 1
        room = max(dim.largest - added[name], 0)
        lengths[name] = _lengths(given.get(name), count, min(room, largest), rng)
        if lengths[name].max(initial=0) > room:
            raise _no_room(name, int(lengths[name].max()) + added[name], calls, dim.largest)
        capacities[name] = int(min(dim.largest, lengths[name].max(initial=0) + added[name])) or 1
    ragged = {
        name: _lengths(given.get(name), plain[dim.per.data], size, rng)
        for name, size in plain.items()
        if (dim := pipeline.dims[name]).per is not None
    }
    return Extents(_with_derived(pipeline, capacities), lengths, ragged)


def _fitted(
    pipeline: PipelineOp,
    growth: Mapping[str, list[int | str]],
    plain: dict[str, int],
    calls: int,
    fixed: frozenset[str],
) -> dict[str, int]:
    """The most rows that are in a growing dim at once of those that the calls append. Makes the run-time dims that say
    how many a step appends smaller, where they are drawn, until all find room."""
    cleared = {op.dim.data for op in pipeline.walk() if isinstance(op, ClearOp) and op.condition is None}
    added = {}
    for name, sizes in growth.items():
        times, bound = 1 if name in cleared else calls, pipeline.dims[name].largest
        sources = {source for size in sizes if isinstance(size, str) for source in _sources(pipeline, size)}
        while True:
            extents = _with_derived(pipeline, plain)
            rows = times * sum(extents.get(size, 0) if isinstance(size, str) else size for size in sizes)
            shrinking = [source for source in sources - fixed if plain.get(source, 1) > 1]
            if rows <= bound or not shrinking:
                break
            for source in shrinking:
                plain[source] = max(1, min(plain[source] - 1, plain[source] * bound // rows))
        if rows > bound:
            raise _no_room(name, rows, times, bound)
        added[name] = rows
    return added


def _check_given(pipeline: PipelineOp, name: str, size: int | list[int]) -> None:
    """Refuses an extent that is asked for where it is none, or past the dim's bound."""
    dim, help = pipeline.dims.get(name), None
    if dim is None:
        guess = suggest(name, pipeline.dims)
        message = f"the pipeline has no dim {name}"
        help = f"did you mean {guess}?" if guess else f"it has {', '.join(pipeline.dims)}"
    elif dim.is_static:
        message, help = f"{name} is a constant, no run-time extent", f"-D {name}={size}"
    elif dim.derived is not None:
        message = f"the extent of {name} follows from {', '.join(_sources(pipeline, name))}"
    elif np.max(size, initial=0) > dim.largest:
        message, help = f"{name} = {np.max(size)} is past its bound {dim.largest}", f"-D {name}={np.max(size)}"
    elif isinstance(size, list) and dim.per is None:
        message = f"{name} has one extent, not one for each row"
    else:
        return
    raise _refused(message, help)


def _no_room(name: str, rows: int, calls: int, bound: int) -> DiagnosticError:
    count = "one call" if calls == 1 else f"{calls} calls"
    message = f"after {count} of each step {name} would be {rows:,} long, past its bound {bound:,}"
    return _refused(message, f"fewer --calls, or a larger bound: -D {name}={rows}")


def _refused(message: str, help: str | None) -> DiagnosticError:
    return DiagnosticError(Diagnostic("error", "HET410", message, help=help), EXIT_USAGE)


def _sources(pipeline: PipelineOp, name: str) -> list[str]:
    """The run-time dims that a dim's extent comes from."""
    dim = pipeline.dims[name]
    return [source.data for source in dim.of] if dim.derived is not None and dim.of is not None else [name]


def _with_derived(pipeline: PipelineOp, extents: Mapping[str, int]) -> dict[str, int]:
    """The largest extents, with those of dims that are derived from them."""
    found = dict(extents)
    for name, dim in pipeline.dims.items():
        if dim.derived is not None and dim.of is not None and all(source.data in found for source in dim.of):
            found[name] = value_of(most_of(dim.functions), [found[source.data] for source in dim.of])
    return found


def _growth(pipeline: PipelineOp) -> dict[str, list[int | str]]:
    """The dims whose lengths a state keeps, and the rows (a number or a dim) that the steps append along them: none
    along a dim of rows that only lie there, in pages."""
    placed = (item.type for item in pipeline.declarations.values() if item.type.rows is not None)
    found: dict[str, list[int | str]] = {str(type_.shape[type_.row_axis]): [] for type_ in placed}
    for step in pipeline.steps.values():
        for name, rows in step.grows.data.items():
            found.setdefault(name, []).append(extent_key(rows))
    return found


def _is_batch(pipeline: PipelineOp, name: str) -> bool:
    """Whether other dims are per this one."""
    return any(dim.per is not None and dim.per.data == name for dim in pipeline.dims.values())


def _extent(given: int | list[int] | None, largest: int, rng: np.random.Generator) -> int:
    """The extent of a dim that does not grow, of its longest row."""
    if isinstance(given, list):
        return max(given, default=0)
    return int(rng.integers(1, largest + 1)) if given is None else given


def _lengths(given: int | list[int] | None, count: int, largest: int, rng: np.random.Generator) -> np.ndarray:
    if given is None:
        return rng.integers(0, largest + 1, count)
    return np.broadcast_to(np.asarray(given, np.int64), (count,)).copy()
