"""Static questions about trees: which indices have an extent of their own, what is present everywhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from random_programs.rewrite import children, parts_of
from random_programs.tree import (
    NARROW_INTEGERS,
    Binary,
    Concat,
    Const,
    DimValue,
    Expr,
    Read,
    Reduce,
    Tensor,
    Unary,
    Var,
    Where,
    Whole,
)
from random_programs.wholes import WHOLES

Scope = dict[str, tuple[str, str | None]]
"""Indices in scope: the dim that each ranges over, and for a dim per another the index of its row."""


def spelled_indices(names: tuple[str, ...], alone: frozenset[str], role: str) -> tuple[str, ...]:
    """The indices whose extent the left side must say; a memory's are its own."""
    return () if role == "memory" else tuple(name for name in names if name not in alone)


def is_total(value: Expr, scope: Scope, tensors: Mapping[str, Tensor], present: Collection[str]) -> bool:
    """Whether a value is present everywhere: it reads tensors of `present` by indices of their own dims."""
    if isinstance(value, Read):
        pairs = zip(tensors[value.tensor].dims, value.indices, strict=True)
        plain = all(isinstance(index, Var) and scope.get(index.name, ("",))[0] == dim for dim, index in pairs)
        return plain and value.tensor in present
    if isinstance(value, Where) and value.otherwise is None:
        return False
    if isinstance(value, Unary) and value.function == "present":
        return True
    if isinstance(value, Binary) and value.operator == "coalesce":
        return is_total(value.right, scope, tensors, present)
    if isinstance(value, Reduce) and value.function in ("argmax", "argmin"):  # of nothing there is none
        return False
    if isinstance(value, Reduce):
        scope = {**scope, value.index: (value.dim, value.row)}
    known = isinstance(value, Const | Var | DimValue | Unary | Binary | Where | Reduce)
    return known and all(is_total(part, scope, tensors, present) for part in children(value))


def as_i32(value: Expr) -> Expr:
    """Arithmetic on positions gives positions: an integer result says that it is a number."""
    narrow = isinstance(value, Unary) and value.function in NARROW_INTEGERS
    return Unary("i", True, value.bound, 0, "i32", value) if value.kind == "i" and not narrow else value


def indices_alone(expr: Expr) -> frozenset[str]:
    """The indices that stand alone in some read: the language takes their extent from there."""
    inner = frozenset().union(*map(indices_alone, children(expr)))
    if isinstance(expr, Read):
        return inner | {index.name for index in expr.indices if isinstance(index, Var)}
    if isinstance(expr, Where) and isinstance(expr.condition, Binary) and isinstance(expr.condition.left, Var):
        return inner - {expr.condition.left.name}  # the condition may keep it within what is read
    if isinstance(expr, Whole):
        return inner if WHOLES[expr.function].keeps else inner - {expr.index}
    # Each part of a concat has the index for itself.
    return inner - {expr.index} if isinstance(expr, Concat) else inner


def uses_tensor(expr: Expr) -> bool:
    """Whether something is read where the value comes from."""
    return any(isinstance(part, Read) for part in parts_of(expr))
