"""Functions over an index: what they are called, their text, and what they stand for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from random_programs.rewrite import mapped
from random_programs.tree import Binary, Const, DimValue, Expr, Reduce, Unary, Var, Whole

Meaning = Callable[[Whole], Expr]


@dataclass(frozen=True)
class Definition:
    """text: what stands behind the head of the definition, over v and i. keeps: whether its value depends on the index
    of the call. bound: of the value, from that of the operand and how many there are."""

    text: str
    keeps: bool
    bound: Callable[[float, int], float]
    meaning: Meaning


def _two(operator: str, left: Expr, right: Expr) -> Expr:
    return Binary("f", False, left.bound + right.bound, 24, operator, left, right)


def _reduced(call: Whole, function: str, body: Expr) -> Expr:
    """Over the index of the call, which has another name inside."""
    inside = f"{call.index}_in"

    def change(part: Expr) -> Expr:
        if isinstance(part, Var | DimValue | Reduce | Whole):
            return _with_index(part, call.index, inside)
        return part

    return Reduce("f", False, body.bound, 24, function, inside, call.dim, call.row, mapped(body, change), False)


def _with_index(part: Expr, old: str, new: str) -> Expr:
    if isinstance(part, Var):
        return replace(part, name=new) if part.name == old else part
    assert isinstance(part, DimValue | Reduce | Whole)
    return replace(part, row=new) if part.row == old else part


def _size(value: Expr) -> Expr:
    return Unary("f", False, value.bound, 24, "abs", value)


def _share(call: Whole) -> Expr:
    total = _reduced(call, "sum", _size(call.operand))
    return _two("/", call.operand, _two("+", total, Const("f", True, 1, 0, 1.0)))


def _apart(call: Whole) -> Expr:
    return _two("-", call.operand, _reduced(call, "mean", call.operand))


def _spread(call: Whole) -> Expr:
    squares = _two("*", call.operand, call.operand)
    return _two("-", _reduced(call, "sum", squares), _reduced(call, "mean", call.operand))


WHOLES = {
    "share": Definition("v / (sum[i](abs(v)) + 1)", True, lambda bound, count: bound, _share),
    "apart": Definition("v - mean[i](v)", True, lambda bound, count: 2 * bound, _apart),
    "spread": Definition("sum[i](v * v) - mean[i](v)", False, lambda bound, count: count * bound**2 + bound, _spread),
}


def meaning(call: Whole) -> Expr:
    """What a call stands for."""
    return WHOLES[call.function].meaning(call)
