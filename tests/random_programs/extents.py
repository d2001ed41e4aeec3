"""Static questions about trees: which indices have an extent of their own, what is present everywhere."""

from __future__ import annotations

from random_programs.tree import (
    Binary,
    Const,
    Expr,
    Program,
    Read,
    Reduce,
    Unary,
    Var,
    Where,
)

Scope = dict[str, tuple[str, str | None]]
"""Indices in scope: the dim that each ranges over, and for a dim per another the index of its row."""


def spelled_indices(names: tuple[str, ...], alone: frozenset[str], role: str) -> tuple[str, ...]:
    """The indices whose extent the left side must say; a memory's are its own."""
    return () if role == "memory" else tuple(name for name in names if name not in alone)


def is_total(value: Expr, scope: Scope, program: Program) -> bool:
    """Whether every read is of declared tensors by indices of its own dims."""
    match value:
        case Read():
            pairs = zip(program.tensors[value.tensor].dims, value.indices, strict=True)
            plain = all(isinstance(index, Var) and scope.get(index.name, ("",))[0] == dim for dim, index in pairs)
            return plain and program.tensors[value.tensor].role in ("input", "weight", "memory")
        case Const():
            return True
        case Unary():
            return is_total(value.operand, scope, program)
        case Binary():
            return is_total(value.left, scope, program) and is_total(value.right, scope, program)
    return False


def as_i32(value: Expr) -> Expr:
    """Arithmetic on positions gives positions: an integer result says that it is a number."""
    return Unary("i", True, value.bound, 0, "i32", value) if value.kind == "i" else value


def indices_alone(expr: Expr) -> frozenset[str]:
    """The indices that stand alone in some read: the language takes their extent from there."""
    match expr:
        case Read():
            plain = frozenset(index.name for index in expr.indices if isinstance(index, Var))
            return plain.union(*(indices_alone(index) for index in expr.indices))
        case Unary():
            return indices_alone(expr.operand)
        case Binary():
            return indices_alone(expr.left) | indices_alone(expr.right)
        case Where():
            parts = [expr.condition, expr.value] + ([expr.otherwise] if expr.otherwise else [])
            return frozenset().union(*map(indices_alone, parts))
        case Reduce():
            return indices_alone(expr.body)
    return frozenset()


def uses_tensor(expr: Expr) -> bool:
    match expr:
        case Read():
            return True
        case Unary():
            return uses_tensor(expr.operand)
        case Binary():
            return uses_tensor(expr.left) or uses_tensor(expr.right)
        case Where():
            return uses_tensor(expr.value)
        case Reduce():
            return uses_tensor(expr.body)
    return False
