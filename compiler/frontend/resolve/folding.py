"""Operators and functions of a typed tree, with constants folded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hetc.compiler.frontend.arithmetic import bits
from hetc.compiler.frontend.arithmetic.constants import FOLDED, Constant, NotFoldable, fold_binary
from hetc.compiler.frontend.arithmetic.elementwise import TABLE, fold_function
from hetc.compiler.frontend.arithmetic.operations import TypeMismatch
from hetc.compiler.frontend.resolve import typed
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.resolve.functions import DTYPES
from hetc.compiler.frontend.syntax import ast


def unary(expr: ast.Unary, operand: typed.Expr, environment: Environment) -> typed.Expr:
    """Raises Refused where a constant has no such value."""
    number = _number(operand)
    if number is None or expr.operator == "not":
        return typed.Unary(expr.operator, operand, expr.span)
    if expr.operator == "~":
        with _told(expr, environment):
            bits.check_integers("~", number)
            number = fold_binary("^", number, -1)
    return typed.Literal(-number if expr.operator == "-" else number, expr.span)


def binary(expr: ast.Binary, left: typed.Expr, right: typed.Expr, environment: Environment) -> typed.Expr:
    """Raises Refused where two constants have no such value."""
    a, b, sign = _number(left), _number(right), expr.operator
    if a is None or b is None or sign not in FOLDED:
        return typed.Binary(sign, left, right, expr.span)
    with _told(expr, environment):
        if sign in bits.OPERATORS:
            bits.check_integers(sign, a, b)
        return typed.Literal(fold_binary(sign, a, b), expr.span)


def apply(expr: ast.Call, arguments: tuple[typed.Expr, ...], environment: Environment) -> typed.Expr:
    """Raises Refused where constants have no such value."""
    if expr.function in DTYPES:
        return typed.Cast(expr.function, arguments[0], expr.span)
    numbers = [number for number in map(_number, arguments) if number is not None]
    if len(numbers) == len(arguments):
        with _told(expr, environment):
            value = fold_function(expr.function, numbers)
            if value is not None:
                return typed.Literal(value, expr.span)
    return typed.Apply(TABLE[expr.function], arguments, expr.span)


@contextmanager
def _told(expr: ast.Expr, environment: Environment) -> Iterator[None]:
    """What cannot be folded is a mistake at the expression."""
    try:
        yield
    except TypeMismatch as error:
        raise environment.refuse("HET106", str(error), expr.span, help=error.help) from None
    except NotFoldable as error:
        raise environment.refuse("HET102", f"this has no value: {error}", expr.span) from None


def _number(expr: typed.Expr) -> Constant | None:
    """The number that a literal is; a condition is none."""
    if not isinstance(expr, typed.Literal) or isinstance(expr.value, bool):
        return None
    return expr.value
