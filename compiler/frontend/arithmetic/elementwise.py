"""Functions of elements, a row each: the operations that compute it, and its value of constants where it folds."""

from __future__ import annotations

import math as python_math
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

from xdsl.dialects import math
from xdsl.dialects.builtin import f32
from xdsl.ir import Operation, SSAValue

from hetc.compiler.frontend.arithmetic.constants import Constant, NotFoldable, checked, constant_power
from hetc.compiler.frontend.arithmetic.operations import Arithmetic, TypeMismatch, Value, index, type_of
from hetc.compiler.frontend.arithmetic.powers import power
from hetc.compiler.vocabulary import ELEMENTWISE

_Build = Callable[..., Value]
_Fold = Callable[..., Constant | None]


@dataclass(frozen=True)
class Elementwise:
    """`build(arithmetic, *values)` makes the operations, of values that are not all constants where it folds.
    `fold(*constants)` is the value of numbers, None where it is left to `build`."""

    name: str
    build: _Build
    fold: _Fold | None = None


def _float(name: str, operation: Callable[[SSAValue], Operation], fold: Callable[[float], float]) -> Elementwise:
    """A function of floats that is one operation."""

    def build(to: Arithmetic, x: Value) -> Value:
        return to.add(operation(to.as_float(to.numeric(x))))

    return Elementwise(name, build, lambda x: fold(float(x)))


def _rounding(name: str, operation: Callable[[SSAValue], Operation], fold: Callable[[float], int]) -> Elementwise:
    """A function of floats that leaves integers as they are."""

    def build(to: Arithmetic, x: Value) -> Value:
        number = to.numeric(x)
        return to.materialize(number) if type_of(number) != f32 else to.add(operation(to.as_float(number)))

    return Elementwise(name, build, lambda x: x if isinstance(x, int) or python_math.isinf(x) else float(fold(x)))


def _abs(to: Arithmetic, x: Value) -> Value:
    plain = to.materialize(to.numeric(x))
    return to.add(math.AbsFOp(plain)) if plain.type == f32 else to.binary("max", plain, to.negate(plain))


def _sign(to: Arithmetic, value: Value) -> Value:
    """-1, 0 or 1; NaN stays NaN, and a zero loses its sign."""
    x = to.materialize(to.numeric(value))
    negative = to.choose(to.compare("<", x, 0), -1, to.add(math.AbsFOp(x)) if x.type == f32 else x)
    return to.choose(to.compare(">", x, 0), 1, negative)


def _sigmoid(to: Arithmetic, value: Value) -> Value:
    x = to.as_float(to.numeric(value))
    return to.binary("/", 1.0, to.binary("+", to.add(math.ExpOp(to.negate(x))), 1.0))


def _silu(to: Arithmetic, value: Value) -> Value:
    x = to.as_float(to.numeric(value))
    return to.binary("/", x, to.binary("+", to.add(math.ExpOp(to.negate(x))), 1.0))


def _gelu(to: Arithmetic, value: Value) -> Value:
    x = to.as_float(to.numeric(value))
    erf = to.add(math.ErfOp(to.binary("*", x, 1 / python_math.sqrt(2))))
    return to.binary("*", to.binary("*", x, 0.5), to.binary("+", erf, 1.0))


def _ceildiv(to: Arithmetic, left: Value, right: Value) -> Value:
    """Integer division that rounds up: -(-left // right). Of i32 and i64 in a form in which nothing overflows; of
    indices, which are exact, in the one that a proof of bounds understands."""
    if f32 in (type_of(left), type_of(right)):
        raise TypeMismatch("`ceildiv` divides integers")
    a, b = to.join([to.numeric(left), to.numeric(right)])
    if a.type == index:
        return to.negate(to.binary("//", to.negate(a), b))
    rest = to.convert(to.compare("!=", to.binary("%", a, b), 0), a.type)
    return to.binary("+", to.binary("//", a, b), rest)


def _fold_ceildiv(left: Constant, right: Constant) -> Constant | None:
    return -(-left // right) if isinstance(left, int) and isinstance(right, int) else None


def _extreme(word: str, best: Callable[..., Constant]) -> Elementwise:
    def build(to: Arithmetic, *values: Value) -> Value:
        return reduce(lambda a, b: to.binary(word, a, b), values)

    def fold(*values: Constant) -> Constant:
        found = best(values)
        return float(found) if any(isinstance(item, float) for item in values) else found

    return Elementwise(word, build, fold)


_ROWS = (
    _float("exp", math.ExpOp, python_math.exp),
    _float("log", math.LogOp, python_math.log),
    _float("sqrt", math.SqrtOp, python_math.sqrt),
    _float("rsqrt", math.RsqrtOp, lambda x: 1 / python_math.sqrt(x)),
    _float("tanh", math.TanhOp, python_math.tanh),
    _float("sin", math.SinOp, python_math.sin),
    _float("cos", math.CosOp, python_math.cos),
    _float("erf", math.ErfOp, python_math.erf),
    _rounding("floor", math.FloorOp, python_math.floor),
    _rounding("ceil", math.CeilOp, python_math.ceil),
    _rounding("round", math.RoundEvenOp, round),
    Elementwise("abs", _abs, abs),
    Elementwise("relu", lambda to, x: to.binary("max", to.numeric(x), 0), lambda x: max(x, type(x)(0))),
    Elementwise("sigmoid", _sigmoid, lambda x: 1 / (1 + python_math.exp(-float(x)))),
    Elementwise("silu", _silu, lambda x: float(x) / (1 + python_math.exp(-float(x)))),
    Elementwise("gelu", _gelu, lambda x: 0.5 * float(x) * (1 + python_math.erf(float(x) / python_math.sqrt(2)))),
    Elementwise("sign", _sign, lambda x: type(x)((x > 0) - (x < 0))),
    _extreme("min", min),
    _extreme("max", max),
    Elementwise("where", Arithmetic.choose),
    Elementwise(
        "atan2",
        lambda to, y, x: to.add(math.Atan2Op(to.as_float(y), to.as_float(x))),
        lambda y, x: python_math.atan2(y, x),
    ),
    Elementwise("pow", power, constant_power),
    Elementwise("ceildiv", _ceildiv, _fold_ceildiv),
    Elementwise("present", Arithmetic.present),
    Elementwise("coalesce", Arithmetic.coalesce),
)
TABLE = {row.name: row for row in _ROWS}


def fold_function(function: str, arguments: list[Constant]) -> Constant | None:
    """The function of constants, or None where it is not one that folds. Raises NotFoldable."""
    row, word = TABLE.get(function), ELEMENTWISE.get(function)
    if row is None or row.fold is None or word is None or len(arguments) < word.least:
        return None
    if word.least == word.most < len(arguments):
        return None
    try:
        value = row.fold(*arguments)
        return None if value is None else checked(value, *arguments)
    except ZeroDivisionError:
        raise NotFoldable("division by zero") from None
    except (OverflowError, ValueError) as error:
        raise NotFoldable(str(error)) from None
