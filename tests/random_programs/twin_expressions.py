"""Prints expressions of a random program as plain Python over lanes that may be absent."""

from __future__ import annotations

import math
from collections.abc import Mapping

from random_programs.presence import (
    Chosen,
    Condition,
    Decides,
    Either,
    Facts,
    Filled,
    Given,
    Holds,
    InRange,
    conditions,
    may_overflow,
    mentioned,
)
from random_programs.program import Program
from random_programs.tree import (
    NARROW_FLOATS,
    NARROW_INTEGERS,
    Age,
    Binary,
    Const,
    DimValue,
    Expr,
    Read,
    Reduce,
    Tensor,
    Unary,
    Var,
    Where,
    is_position,
)

_FLOAT_OPERATORS = {
    "+": "add",
    "-": "subtract",
    "*": "multiply",
    "/": "divide",
    "min": "smaller",
    "max": "larger",
    "//": "floor_divide",
    "%": "remainder",
    "atan2": "arc_tangent",
    "pow": "power",
}
_FLOAT_REDUCTIONS = {"sum": "total", "mean": "mean", "prod": "product", "max": "largest", "min": "smallest"}
_INTEGER_REDUCTIONS = {
    "i": {
        "sum": "sum_of_integers",
        "max": "largest_integer",
        "min": "smallest_integer",
        "prod": "product_of_integers",
    },
    "l": {"sum": "sum_of_longs", "max": "largest_long", "min": "smallest_long"},
}


class TwinExpressions:
    """Prints expressions whose reads name variables of the twin; `known` has the facts of each."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.known: dict[str, Facts] = {}
        self.held: dict[str, Tensor] = {}

    def text(self, expr: Expr) -> str:
        match expr:
            case Const(kind="b"):
                return repr(bool(expr.value))
            case Const():
                plain = expr.value if math.isfinite(expr.value) else f"float('{expr.value}')"
                return f"exact({plain})" if expr.kind == "f" else repr(int(expr.value))
            case Var():
                return expr.name
            case DimValue():
                return self._extent(expr.dim, expr.row)
            case Read():
                return f"{expr.tensor}.read({', '.join(map(self.text, expr.indices))})"
            case Age():
                facts = self.known[expr.ring]
                slots = self._extent(facts.dims[facts.slots][0], None)
                return f"age({self.text(expr.slot)}, {facts.count}, {slots})"
            case Unary():
                return self._unary(expr)
            case Binary():
                return self._binary(expr)
            case Where():
                other = "None" if expr.otherwise is None else self.text(expr.otherwise)
                chosen = f"({self.text(expr.value)} if c else {other})"
                return f"(lambda c: None if c is None else {chosen})({self.text(expr.condition)})"
            case Reduce():
                return self._reduce(expr)
        raise TypeError(expr)

    def _extent(self, dim: str, row: str | None) -> str:
        return f"extents.of({dim!r}{f', {row}' if row else ''})"

    def _span(self, dim: str, row: str | None) -> str:
        return f"extents.span({dim!r}{f', {row}' if row else ''})"

    def _unary(self, expr: Unary) -> str:
        inner, kind = self.text(expr.operand), expr.operand.kind
        if expr.function == "present":
            return f"is_present({inner})"
        if expr.function == "-":
            return f"negate({inner})" if expr.kind == "f" else f"lift(lambda v: {_kept(expr, '-v')}, {inner})"
        if expr.function == "not ":
            return f"lift(lambda v: not v, {inner})"
        if expr.function in ("as f32", "f32", *NARROW_FLOATS):
            number = {"f": inner, "q": inner, "l": f"lift(rounded, {inner})"}.get(kind, f"lift(exact, {inner})")
            stored = expr.function in NARROW_FLOATS
            return f"lift(lambda v: store({expr.function!r}, v), {number})" if stored else number
        if expr.function in ("as i32", "i32", "i64", *NARROW_INTEGERS):
            number = f"lift(lambda v: int(v[0]), {inner})" if kind == "f" else f"lift(int, {inner})"
            if expr.function in NARROW_INTEGERS:
                return f"lift(lambda v: store({expr.function!r}, v), lift(wrap, {number}))"
            return number if expr.function == "i64" else f"lift(wrap, {number})"
        if expr.kind in "il":
            plain = {"~": "-1 - v", "abs": "abs(v)", "relu": "max(v, 0)", "sign": "(v > 0) - (v < 0)"}[expr.function]
            return f"lift(lambda v: {_kept(expr, plain)}, {inner})"
        return f"function({expr.function!r}, {inner})"

    def _binary(self, expr: Binary) -> str:
        left, right = self.text(expr.left), self.text(expr.right)
        if expr.operator == "coalesce":
            return f"(lambda c: {right} if c is None else c)({left})"
        if expr.operator in ("and", "or"):
            return f"decided({expr.operator == 'or'}, {left}, {right})"
        if expr.operator == "**" and expr.kind == "f":
            assert isinstance(expr.right, Const)
            return f"repeated({left}, {int(expr.right.value)})"
        if expr.kind == "f":
            return f"{_FLOAT_OPERATORS[expr.operator]}({left}, {right})"
        a, b = ("a[0]", "b[0]") if expr.left.kind == "f" else ("a", "b")
        if expr.operator in ("min", "max"):
            plain = f"{expr.operator}({a}, {b})"
        elif expr.operator in ("//", "%"):
            plain = f"({a} {expr.operator} {b} if {b} else 0)"
        elif expr.operator == "ceildiv":
            plain = f"(-(-{a} // {b}) if {b} else 0)"
        elif expr.operator == "**" and isinstance(expr.left, Const):
            plain = f"(pow({a}, {b}, 2**64) if {b} >= 0 else 0)"
        elif expr.operator in ("<<", ">>"):
            width = 32 if expr.kind == "i" and not is_position(expr) else 64
            plain = f"{'moved_up' if expr.operator == '<<' else 'moved_down'}({a}, {b}, {width})"
        else:
            plain = f"{a} {expr.operator} {b}"
        return f"lift(lambda a, b: {_kept(expr, plain)}, {left}, {right})"

    def _reduce(self, expr: Reduce) -> str:
        span, body = self._span(expr.dim, expr.row), self.text(expr.body)
        if expr.function == "mean" and expr.joined and isinstance(expr.body, Reduce):
            return self._mean_of_several(expr)
        if expr.function in ("argmax", "argmin"):
            best = expr.function[3:]
            value = f"argument_of({best}, (({expr.index}, {body}) for {expr.index} in {span}))"
        elif expr.function in ("any", "all"):
            value = f"{expr.function}(present({body} for {expr.index} in {span}))"
        elif expr.function == "count":
            value = f"sum(present({body} for {expr.index} in {span}))"
        else:
            table = _FLOAT_REDUCTIONS if expr.kind == "f" else _INTEGER_REDUCTIONS["l" if expr.kind == "l" else "i"]
            value = f"{table[expr.function]}({body} for {expr.index} in {span})"
        return self._where_passed_on(value, expr.body, {expr.index})

    def _mean_of_several(self, expr: Reduce) -> str:
        """A mean of means weighs another way: all elements are gone through at once."""
        inner, loops, over = expr, [], set()
        while True:
            loops.append(f"for {inner.index} in {self._span(inner.dim, inner.row)}")
            over.add(inner.index)
            if not (inner.joined and isinstance(inner.body, Reduce)):
                break
            inner = inner.body
        return self._where_passed_on(f"mean({self.text(inner.body)} {' '.join(loops)})", inner.body, over)

    def _where_passed_on(self, value: str, body: Expr, over: set[str]) -> str:
        """The value of a reduction, absent where its elements are for what mentions none of its own indices."""
        passed_on = [item for item in self.conditions(body) if not over & mentioned(item)]
        if not passed_on:
            return value
        return f"({value} if {' and '.join(map(self.condition, passed_on))} else None)"

    def conditions(self, expr: Expr) -> tuple[Condition, ...]:
        """When `expr` is present."""
        return conditions(expr, self.known)

    def condition(self, item: Condition) -> str:
        match item:
            case InRange():
                size = f"extents.of({item.dim!r}{'' if item.row is None else f', {self.text(item.row)}'})"
                less = "" if not item.pending else f" - {self.growth(item.pending)}"
                return f"in_range({self.text(item.index)}, {size}{less})"
            case Filled():
                return f"in_range({self.text(item.slot)}, min({item.count}, {self._extent(item.dim, None)}))"
            case Holds():
                return f"({self.text(item.condition)})"
            case Given():
                return f"is_present({self.text(item.value)})"
            case Decides():
                return f"({self.text(item.condition)} is {item.value})"
            case Either():
                return f"({self.condition(item.left)} or {self.condition(item.right)})"
            case Chosen():
                branch = [" and ".join(map(self.condition, part)) or "True" for part in (item.if_true, item.if_false)]
                return f"(({branch[0]}) if ({self.text(item.condition)}) else ({branch[1]}))"

    def growth(self, by: int | str) -> str:
        """How many rows a call appends."""
        return f"extents.of({by!r})" if isinstance(by, str) else str(by)


def _kept(expr: Expr, value: str) -> str:
    """What is left of the integer that an expression computes: i32 and i64 wrap, an index that 64 bits do not hold is
    absent."""
    if expr.kind in "ix" and is_position(expr):
        return f"held({value})" if isinstance(expr, Binary) and may_overflow(expr) else value
    return {"i": f"wrap({value})", "l": f"wrap_long({value})"}.get(expr.kind, value)


def facts_of(dims: tuple[str, ...], known: Mapping[str, str | None], **more: object) -> Facts:
    """Facts of a tensor over dims; `known` has the rows' dim of each."""
    positions = []
    for dim in dims:
        per = known[dim]
        positions.append((dim, None if per is None else dims.index(per)))
    return Facts(tuple(positions), **more)  # type: ignore[arg-type]
