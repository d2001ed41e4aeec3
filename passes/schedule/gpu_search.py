"""Binary searches in the rows of sparse tensors: how long they are, and what they load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

from xdsl.ir import SSAValue

from hetc.dialects.mp import RangedOp, ReadOp, ReadStoredOp, ReduceOp, TensorType, enclosing_pipeline, extent_key
from hetc.passes.schedule.gpu_dependencies import Dependencies, stored_row

_ROW_BYTES = 8 + 4
"""Of a row: its start, and its length."""
_COLUMN_BYTES = 4


def search_steps(columns: int) -> int:
    """Halvings until a column is found, or its place, among at most so many."""
    return max(columns, 1).bit_length()


def searched_bytes(op: RangedOp, dependencies: Dependencies, extents: Mapping[str, int]) -> float:
    """Bytes of rows and columns that the searches of a statement load: a search for each element that it is of, a
    column for each of its steps, and one to compare."""
    searched = _searched(op)
    if not searched:
        return 0.0
    dims = enclosing_pipeline(op).dims
    sizes = {index: extents[size] if isinstance(size, str) else size for index, size in _loops(op)}
    total = 0.0
    for read in searched:
        type_ = read.tensor.type
        assert isinstance(type_, TensorType)
        varying = dependencies.union([*read.indices, *([read.present] if read.present is not None else [])])
        columns = type_.shape[1]
        steps = search_steps(dims[columns].largest if isinstance(columns, str) else columns)
        total += prod(sizes[index] for index in varying) * (_ROW_BYTES + _COLUMN_BYTES * (steps + 1))
    return total


def _loops(op: RangedOp) -> Iterator[tuple[SSAValue, int | str]]:
    for index, item in zip(op.body.block.args, op.index_ranges, strict=True):
        yield index, extent_key(item.extent)
    for inner in op.body.walk():
        if isinstance(inner, ReduceOp):
            yield inner.body.block.args[0], extent_key(inner.range.extent)


def _searched(op: RangedOp) -> list[ReadOp | ReadStoredOp]:
    """The reads of sparse tensors but those whose row a reduction runs over."""
    reads = [read for read in op.body.walk() if isinstance(read, ReadOp | ReadStoredOp)]
    reads = [read for read in reads if read.tensor.type.is_sparse]  # type: ignore[attr-defined]
    if not reads:
        return []
    rows = {stored_row(inner) for inner in op.body.walk() if isinstance(inner, ReduceOp)}
    return [read for read in reads if read not in rows]
