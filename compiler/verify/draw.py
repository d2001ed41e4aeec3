"""Random inputs, memory contents and extents of a pipeline's declared shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from xdsl.dialects.builtin import IntegerType

from hetc.compiler.verify.draw_values import drawn_values, numpy_dtype
from hetc.compiler.verify.extents import Extents, draw_extents
from hetc.compiler.verify.positions import positions
from hetc.diagnostics import EXIT_USAGE, Diagnostic, DiagnosticError
from hetc.dialects.mp import AppendOp, DeclareOp, GetOp, PipelineOp, TensorType, origin
from hetc.numerics import dtype_of

STYLES = ("normal", "integers", "nonfinite")
"""What is drawn: normal values; small integers, so that scores tie exactly; normal values with some NaN and -inf."""
COLUMN_ENTRIES = 24
"""Row numbers for each column that a sparse memory begins with."""


@dataclass
class Draw(Extents):
    """One drawing: extents, and arrays over them.

    weights, memories: float32 for any float; inputs: one mapping a call. A sparse memory is drawn as the rows of its
    columns, int64[columns, row numbers], as an append takes them; else `entries` has its (row, column, value). A memory
    that is not there begins as it is declared. live: in each call the live extents of the dims that do not grow.
    """

    weights: dict[str, np.ndarray] = field(default_factory=dict)
    memories: dict[str, np.ndarray] = field(default_factory=dict)
    inputs: list[dict[str, np.ndarray]] = field(default_factory=list)
    live: list[dict[str, Any]] = field(default_factory=list)
    entries: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=dict)


def draw(
    pipeline: PipelineOp,
    rng: np.random.Generator,
    *,
    calls: int = 1,
    style: str = "normal",
    extents: Mapping[str, int | list[int]] | None = None,
    largest: int = 192,
    before: Callable[[Extents], None] = lambda extents: None,
) -> Draw:
    """Draw everything that `calls` calls of each step need.

    extents fixes run-time dims: the number of rows, for a dim per another the length(s), for a dim that grows those
    before the first step. A dim that is not fixed is drawn up to its bound, at most `largest`; a length may be drawn
    0. before is told the extents before anything is drawn over them. Raises DiagnosticError (exit 2) where an extent is
    none of the pipeline's, or so many calls append more than a memory may hold.
    """
    found = draw_extents(pipeline, rng, calls, dict(extents or {}), largest)
    before(found)
    result = Draw(found.capacities, found.lengths, found.ragged)
    result.live = [_live(pipeline, found) for _ in range(calls)]
    for name, declaration in pipeline.declarations.items():
        _draw_tensor(result, name, declaration, pipeline, rng, calls, style)
    for declaration in pipeline.declarations.values():
        if declaration.ring is not None and declaration.counter is not None:
            slots = declaration.type.shape[declaration.ring.value.data]
            assert isinstance(slots, int)
            # Empty, filled in part, or gone round: what a ring counts stays below twice its slots.
            result.memories[declaration.counter.data] = rng.integers(0, 2 * slots, (), np.int32)
    return result


def _live(pipeline: PipelineOp, extents: Extents) -> dict[str, Any]:
    """The live extents of the dims that do not grow: a tensor's shape may not say them."""
    return {
        name: extents.ragged.get(name, extents.capacities[name])
        for name, dim in pipeline.dims.items()
        if name in extents.capacities and name not in extents.lengths and dim.derived is None
    }


def _draw_tensor(
    result: Draw,
    name: str,
    declaration: DeclareOp,
    pipeline: PipelineOp,
    rng: np.random.Generator,
    calls: int,
    style: str,
) -> None:
    type_ = declaration.type
    shape = tuple(result.extent(size) for size in type_.shape)
    role = declaration.role.data
    if role == "memory" and type_.is_sparse:
        result.memories[name] = _columns(pipeline, name, type_, result, rng, calls)
        return
    used = positions(pipeline, name) if isinstance(type_.element, IntegerType) else None
    limits = [result.extent(size) for size in used.extents] if used is not None else []

    def fresh() -> np.ndarray:
        drawn = drawn_values(
            type_,
            shape,
            rng,
            style,
            weight=role == "weight",
            is_position=used is not None and used.reached,
            limit=min(limits, default=None),
        )
        return drawn.astype(numpy_dtype(type_))

    if role == "weight":
        result.weights[name] = fresh()
    elif role == "memory":
        result.memories[name] = fresh()
    else:
        while len(result.inputs) < calls:
            result.inputs.append({})
        for call in result.inputs:
            call[name] = fresh()


def _columns(
    pipeline: PipelineOp, name: str, type: TensorType, result: Draw, rng: np.random.Generator, calls: int
) -> np.ndarray:
    """Row numbers for each column that the sparse memory starts with, -1 for none; what the calls append finds room."""
    rows, columns = (result.extent(size) for size in type.shape)
    if type.shape[1] in result.lengths:
        columns = int(result.lengths[str(type.shape[1])].max(initial=0))
    bound = type.storage.stored_bound.data  # type: ignore[attr-defined]
    appended = calls * sum(prod(result.extent(size) for size in shape) for shape in _appended(pipeline, name))
    if appended > bound:
        count = "one call" if calls == 1 else f"{calls} calls"
        message = f"{count} of each step may store {appended:,} entries in `{name}`, whose bound is {bound:,}"
        fewer = bound * calls // appended
        fits = f"--calls {fewer}, or a" if fewer else "a"
        help = f"{fits} larger bound behind `stored <=`"
        raise DiagnosticError(Diagnostic("error", "HET410", message, help=help), EXIT_USAGE)
    numbers = rng.integers(0, rows, (columns, COLUMN_ENTRIES))
    numbers = np.where(rng.random(numbers.shape) < 0.8, numbers, -1)
    if columns * min(rows, COLUMN_ENTRIES) > bound - appended:
        # At most so many in each column, all different: what is left over of the room stays free.
        numbers[:, (bound - appended) // max(columns, 1) :] = -1
    return numbers


def _appended(pipeline: PipelineOp, name: str) -> Iterator[tuple[int | str, ...]]:
    """The extents of what one call of each step appends to a memory."""
    for op in pipeline.walk():
        if isinstance(op, AppendOp):
            owner = origin(op.memory).owner
            if isinstance(owner, GetOp) and owner.declared.data == name:
                assert isinstance(op.rows.type, TensorType)
                yield op.rows.type.shape


def stored_entries(columns: np.ndarray, rows: int, element: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(row, column, value) of a sparse memory whose columns count these row numbers, saturating at the element."""
    column, place = np.nonzero((columns >= 0) & (columns < rows))
    keys, counts = np.unique(columns[column, place] * max(len(columns), 1) + column, return_counts=True)
    dtype = dtype_of(element)
    values = np.minimum(counts, dtype.max_finite)
    kept = values.astype(np.float32) if dtype.is_float else values.astype(dtype.storage)
    return keys // max(len(columns), 1), keys % max(len(columns), 1), kept
