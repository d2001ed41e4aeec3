"""How many elements of a sparse tensor a statement goes through."""

from __future__ import annotations

from collections.abc import Iterator

from xdsl.ir import Operation

from hetc.dialects.mp import ReadStoredOp, ReduceOp, SparseAttr, TensorType
from hetc.passes.analysis.polynomial import Polynomial


def stored_guards(op: ReduceOp) -> Iterator[ReadStoredOp]:
    """Sparse reads whose `stored` flag the reduction's condition implies (conjunctions are followed)."""
    pending = [op.yielded.present] if op.yielded.present is not None else []
    while pending:
        value = pending.pop()
        owner = value.owner
        if isinstance(owner, ReadStoredOp) and value is owner.stored:
            yield owner
        elif isinstance(owner, Operation) and owner.name == "arith.andi":
            pending.extend(owner.operands)


def sparse_shape(read: ReadStoredOp) -> tuple[int, int | str]:
    type_ = read.tensor.type
    assert isinstance(type_, TensorType)
    rows, columns = type_.shape
    return (rows if isinstance(rows, int) else 1), columns


def stored_bound(read: ReadStoredOp) -> float:
    type_ = read.tensor.type
    assert isinstance(type_, TensorType) and isinstance(type_.storage, SparseAttr)
    return float(type_.storage.stored_bound.data)


def density(read: ReadStoredOp) -> float:
    rows, columns = sparse_shape(read)
    assert isinstance(columns, int)
    return min(1.0, stored_bound(read) / (rows * columns))


def without_dim(space: Polynomial, dim: str, value: float) -> Polynomial:
    """`space` with one factor `dim` of each term replaced by a number (terms without it stay)."""
    total = Polynomial()
    for names, coefficient in space.terms:
        if dim in names:
            position = names.index(dim)
            total += Polynomial(((names[:position] + names[position + 1 :], coefficient * value),))
        else:
            total += Polynomial(((names, coefficient),))
    return total
