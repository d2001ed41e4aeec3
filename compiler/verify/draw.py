"""Random inputs, memory contents and extents of a pipeline's declared shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from xdsl.dialects.builtin import IndexType, IntegerType
from xdsl.ir import Operation, SSAValue

from hetc.dialects.mp import (
    AppendOp,
    DeclareOp,
    GetOp,
    PipelineOp,
    ReadOp,
    ReadStoredOp,
    TensorType,
    dtype_name,
)
from hetc.numerics import dtype_of

STYLES = ("normal", "integers", "nonfinite")
"""What is drawn: normal values; small integers, so that scores tie exactly; normal values with some NaN and -inf."""


@dataclass
class Draw:
    """One drawing.

    capacities: what the state is allocated with, a number for each run-time dim. lengths: the live extents before
    the first step of each dim that a memory grows along: int64[rows] for a dim per another, else int64[1]. ragged: the
    live extents in every call of each other dim that is per another, int64[rows].
    weights, memories: arrays over capacities, float32 for any float; inputs: one mapping a call. A sparse memory is
    drawn as the rows of its columns, int64[columns, row numbers], as an append takes them.
    """

    capacities: dict[str, int]
    lengths: dict[str, np.ndarray]
    ragged: dict[str, np.ndarray] = field(default_factory=dict)
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    memories: dict[str, np.ndarray] = field(default_factory=dict)
    inputs: list[dict[str, np.ndarray]] = field(default_factory=list)


def draw(
    pipeline: PipelineOp,
    rng: np.random.Generator,
    *,
    calls: int = 1,
    style: str = "normal",
    extents: Mapping[str, int | list[int]] | None = None,
    largest: int = 192,
) -> Draw:
    """Draw everything that `calls` calls of each step need.

    extents fixes run-time dims: the number of rows, for a dim per another the length(s), for a dim that grows those
    before the first step. A dim that is not fixed is drawn up to its bound, at most `largest`; a length may be drawn
    0. Raises KeyError for a dim that the pipeline does not have.
    """
    given = dict(extents or {})
    unknown = set(given) - set(pipeline.dims)
    if unknown:
        raise KeyError(f"no dim {sorted(unknown)[0]}; the pipeline has {', '.join(pipeline.dims)}")
    growth = _growth(pipeline)
    plain = {
        name: _extent(
            given.get(name), min(dim.largest, 4 if _rows_of(pipeline, name) else largest), rng, dim.per is not None
        )
        for name, dim in pipeline.dims.items()
        if not dim.is_static and name not in growth and dim.derived is None
    }
    lengths, capacities = {}, dict(plain)
    for name, rows in growth.items():
        dim = pipeline.dims[name]
        count = plain[dim.per.data] if dim.per is not None else 1
        step_rows = calls * sum(plain.get(str(size), 0) if isinstance(size, str) else size for size in rows)
        room = max(dim.largest - step_rows, 0)
        lengths[name] = _lengths(given.get(name), count, min(room, largest), rng)
        capacities[name] = int(min(dim.largest, lengths[name].max(initial=0) + step_rows)) or 1
    for name, dim in pipeline.dims.items():
        if dim.derived is not None and dim.of is not None:
            capacities[name] = dim.derived.data.eval([capacities[source.data] for source in dim.of], [])[0]
    ragged = {
        name: _lengths(given.get(name), plain[dim.per.data], size, rng)
        for name, size in plain.items()
        if (dim := pipeline.dims[name]).per is not None
    }
    result = Draw(capacities, lengths, ragged)
    for name, declaration in pipeline.declarations.items():
        _draw_tensor(result, name, declaration, pipeline, rng, calls, style)
    for declaration in pipeline.declarations.values():
        if declaration.ring is not None and declaration.counter is not None:
            slots = declaration.type.shape[declaration.ring.value.data]
            assert isinstance(slots, int)
            # Empty, filled in part, or gone round: what a ring counts stays below twice its slots.
            result.memories[declaration.counter.data] = rng.integers(0, 2 * slots, (), np.int32)
    return result


def _growth(pipeline: PipelineOp) -> dict[str, list[int | str]]:
    """Growing dims and the rows (a number or a dim) that the steps append along them."""
    found: dict[str, list[int | str]] = {}
    for step in pipeline.steps.values():
        for name, rows in step.grows.data.items():
            value = rows.symbol.data if hasattr(rows, "symbol") else rows.value.data  # type: ignore[attr-defined]
            found.setdefault(name, []).append(value)
    return found


def _rows_of(pipeline: PipelineOp, name: str) -> bool:
    """Whether other dims are per this one: a batch."""
    return any(dim.per is not None and dim.per.data == name for dim in pipeline.dims.values())


def _extent(given: int | list[int] | None, largest: int, rng: np.random.Generator, per_row: bool) -> int:
    """The extent of a dim that does not grow, of its longest row."""
    if isinstance(given, list):
        if not per_row:
            raise ValueError("one extent is expected for a dim that is not per another")
        return max(given, default=0)
    return int(rng.integers(1, largest + 1)) if given is None else given


def _lengths(given: int | list[int] | None, count: int, largest: int, rng: np.random.Generator) -> np.ndarray:
    if given is None:
        return rng.integers(0, largest + 1, count)
    return np.broadcast_to(np.asarray(given, np.int64), (count,)).copy()


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
    shape = tuple(size if isinstance(size, int) else result.capacities[size] for size in type_.shape)
    role = declaration.role.data
    if role == "memory" and type_.is_sparse:
        result.memories[name] = _columns(pipeline, name, type_, result, rng)
        return
    limit = index_limit(pipeline, name, result.capacities) if _is_integer(type_) else None

    def fresh() -> np.ndarray:
        drawn = _values(type_, shape, limit, rng, style, weight=role == "weight")
        return drawn.astype(_numpy_dtype(type_))

    if role == "weight":
        result.weights[name] = fresh()
    elif role == "memory":
        result.memories[name] = fresh()
    else:
        while len(result.inputs) < calls:
            result.inputs.append({})
        for call in result.inputs:
            call[name] = fresh()


def _is_integer(type: TensorType) -> bool:
    return isinstance(type.element, IntegerType | IndexType) and dtype_name(type.element) != "bool"


def _numpy_dtype(type: TensorType) -> np.dtype:
    """float32 for any float (the runtime rounds it), else the integer or bool type itself."""
    name = dtype_name(type.element)
    if name == "index":
        return np.dtype(np.int32)
    dtype = dtype_of(name)
    return np.dtype(np.float32) if dtype.is_float else dtype.storage


def _values(
    type: TensorType,
    shape: tuple[int, ...],
    limit: int | None,
    rng: np.random.Generator,
    style: str,
    *,
    weight: bool,
) -> np.ndarray:
    if dtype_name(type.element) == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if _is_integer(type):
        if limit is not None:  # -1 is the absent position; a few of them are drawn
            return rng.integers(0, max(limit, 1), shape) * (rng.random(shape) < 0.9) - (rng.random(shape) < 0.05)
        return rng.integers(0 if dtype_name(type.element).startswith("u") else -7, 8, shape)
    if style == "integers":
        return rng.integers(-2, 3, shape).astype(np.float64)
    # Weights are drawn so that a contraction over their first extent keeps the size of what it is applied to.
    scale = 1 / np.sqrt(max(shape[0], 1)) if weight and len(shape) > 1 else 1.0
    values = rng.standard_normal(shape) * scale
    if style == "nonfinite" and not weight:
        values = np.where(rng.random(shape) < 0.002, np.nan, values)
        if dtype_name(type.element) in ("f32", "f16", "bf16"):
            values = np.where(rng.random(shape) < 0.002, -np.inf, values)
    return values


def _columns(pipeline: PipelineOp, name: str, type: TensorType, result: Draw, rng: np.random.Generator) -> np.ndarray:
    """Row numbers for each column that the sparse memory starts with: int64[columns, up to 24], -1 for none."""
    rows, dim = type.shape
    assert isinstance(rows, int) and isinstance(dim, str)
    columns = int(result.lengths[dim].max(initial=0)) if dim in result.lengths else result.capacities[dim]
    numbers = rng.integers(0, rows, (columns, 24))
    return np.where(rng.random(numbers.shape) < 0.8, numbers, -1)


def stored_entries(columns: np.ndarray, rows: int, element: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(row, column, value) of a sparse memory whose columns count these row numbers, saturating at the element."""
    column, place = np.nonzero((columns >= 0) & (columns < rows))
    keys, counts = np.unique(columns[column, place] * max(len(columns), 1) + column, return_counts=True)
    values = np.minimum(counts, dtype_of(element).max_finite).astype(np.int64)
    return keys // max(len(columns), 1), keys % max(len(columns), 1), values


def index_limit(pipeline: PipelineOp, name: str, capacities: Mapping[str, int]) -> int | None:
    """For integers that are used as positions: the extent of what they index, else None."""
    limits = []
    for op in pipeline.walk():
        if isinstance(op, GetOp) and op.declared.data == name:
            limits += [capacities[size] if isinstance(size, str) else size for size in _indexed(op.result)]
    return min(limits) if limits else None


def _indexed(value: SSAValue) -> Iterator[int | str]:
    for use in value.uses:
        op = use.operation
        if isinstance(op, AppendOp) and use.index == 1 and op.memory.type.is_sparse:  # type: ignore[attr-defined]
            yield op.memory.type.shape[0]  # type: ignore[attr-defined]
        elif isinstance(op, AppendOp):
            yield from _indexed(op.result)
        elif isinstance(op, ReadOp | ReadStoredOp) and op.tensor is value:
            yield from _positions(op.results[0])


def _positions(value: SSAValue, depth: int = 4) -> Iterator[int | str]:
    """Extents that `value`, possibly after index arithmetic, is used to index."""
    for use in value.uses:
        op: Operation = use.operation
        if isinstance(op, ReadOp | ReadStoredOp) and value in op.indices:
            position = list(op.indices).index(value)
            yield op.tensor.type.shape[position]  # type: ignore[attr-defined]
        elif depth and op.name in ("arith.index_cast", "arith.extsi", "arith.addi", "arith.select"):
            yield from _positions(op.results[0], depth - 1)
