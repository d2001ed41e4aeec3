"""`dim C = max((T - 1) // 4, N)`: dims that follow from run-time dims, in the form of `hetc.dialects.mp.derived`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

from xdsl.ir.affine import AffineExpr

from hetc.compiler.frontend.resolve.dims import evaluate_integer, run_time_names
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.resolve.symbols import Dim
from hetc.compiler.frontend.syntax import ast
from hetc.dialects.mp import LARGEST_EXTENT
from hetc.dialects.mp.derived import Groups

_MOST_FUNCTIONS = 32
"""What `min` and `max` inside of sums may become."""
_HELP = "a derived dim is made of +, -, * and // by constants, ceildiv, min and max"


@dataclass(frozen=True)
class _Affine:
    """An affine function of run-time dims, and the interval of its values."""

    expr: AffineExpr
    low: int
    high: int

    def __add__(self, other: _Affine) -> _Affine:
        return _Affine(self.expr + other.expr, self.low + other.low, self.high + other.high)

    def times(self, factor: int) -> _Affine:
        ends = self.low * factor, self.high * factor
        return _Affine(self.expr * factor, min(ends), max(ends))

    def over(self, divisor: int) -> _Affine:
        return _Affine(self.expr // divisor, self.low // divisor, self.high // divisor)

    def over_up(self, divisor: int) -> _Affine:
        return _Affine(self.expr.ceil_div(divisor), -(-self.low // divisor), -(-self.high // divisor))


_Value = tuple[tuple[_Affine, ...], ...]
"""The largest of the least of each group."""


def derive(dim: ast.Dim, expr: ast.Expr, environment: Environment) -> Dim:
    """The function, its largest value, and the rows that it has one value for. What is below 0 counts as 0."""
    of = run_time_names(expr, environment)
    rows = {environment.dims[name].per for name in of} - {None}
    if len(rows) > 1:
        raise environment.refuse("HET102", f"dim `{dim.name}` mixes dims per {' and '.join(map(str, rows))}", expr.span)
    value = _Reader(of, environment).value(expr)
    low = max(min(item.low for item in group) for group in value)
    high = max(min(item.high for item in group) for group in value)
    if not 1 <= high <= LARGEST_EXTENT:
        message = f"dim `{dim.name}` would range from {low} to {high}"
        help = f"a dim is at most {LARGEST_EXTENT}" if high > 0 else "it would never be above 0"
        raise environment.refuse("HET102", message, expr.span, help=help)
    if low < 0:
        value = (*value, (_Affine(AffineExpr.constant(0), 0, 0),))
    groups: Groups = tuple(tuple(item.expr for item in group) for group in value)
    return Dim(dim.name, None, high, rows.pop() if rows else None, dim.name_span, groups, tuple(of))


class _Reader:
    """Reads an expression over the run-time dims `of`. Raises Refused."""

    def __init__(self, of: Sequence[str], environment: Environment):
        self.of, self.environment = of, environment

    def value(self, expr: ast.Expr) -> _Value:
        found = self._value(expr)
        found = tuple(dict.fromkeys(tuple(dict.fromkeys(group)) for group in found))
        if sum(map(len, found)) > _MOST_FUNCTIONS:
            message = f"this dim is made of more than {_MOST_FUNCTIONS} cases"
            raise self.environment.refuse("HET102", message, expr.span, help="give parts of it names as dims")
        return found

    def _value(self, expr: ast.Expr) -> _Value:
        match expr:
            case ast.Name(name=name) if name in self.of:
                bound = self.environment.dims[name].bound
                assert bound is not None
                self.environment.used.add(name)
                return ((_Affine(AffineExpr.dimension(self.of.index(name)), 0, bound),),)
            case ast.Unary(operator="-", operand=operand):
                return _negated(self.value(operand))
            case ast.Binary(operator="+", left=left, right=right):
                return _sum(self.value(left), self.value(right))
            case ast.Binary(operator="-", left=left, right=right):
                return _sum(self.value(left), _negated(self.value(right)))
            case ast.Binary(operator="*", left=left, right=right):
                if run_time_names(left, self.environment):
                    left, right = right, left
                purpose = "a factor of a derived dim"
                factor = evaluate_integer(left, self.environment, purpose, low=-LARGEST_EXTENT)
                value = self.value(right) if factor >= 0 else _negated(self.value(right))
                return _each(value, lambda item: item.times(abs(factor)))
            case ast.Binary(operator="//", left=left, right=right):
                divisor = self._divisor(right)
                return _each(self.value(left), lambda item: item.over(divisor))
            case ast.Call(function="ceildiv", indices=(), arguments=(left, right), keywords=()):
                divisor = self._divisor(right)
                return _each(self.value(left), lambda item: item.over_up(divisor))
            case ast.Call(function="min" | "max" as word, indices=(), arguments=(first, *others), keywords=()):
                value = self.value(first)
                for other in others:
                    more = self.value(other)
                    value = (*value, *more) if word == "max" else tuple(a + b for a, b in product(value, more))
                return value
        if run_time_names(expr, self.environment):
            raise self.environment.refuse("HET102", _HELP, expr.span)
        constant = evaluate_integer(expr, self.environment, "a derived dim", low=-LARGEST_EXTENT)
        return ((_Affine(AffineExpr.constant(constant), constant, constant),),)

    def _divisor(self, expr: ast.Expr) -> int:
        return evaluate_integer(expr, self.environment, "the divisor of a derived dim", low=1)


def _each(value: _Value, function: Callable[[_Affine], _Affine]) -> _Value:
    """A function that never falls, of a value."""
    return tuple(tuple(map(function, group)) for group in value)


def _sum(left: _Value, right: _Value) -> _Value:
    return tuple(tuple(x + y for x, y in product(a, b)) for a, b in product(left, right))


def _negated(value: _Value) -> _Value:
    """The least of the largest of the negatives: the largest of the least of one of each group."""
    return tuple(tuple(item.times(-1) for item in chosen) for chosen in product(*value))
