"""Typed scalar operations of a region: arith and math ops chosen by the operands' types, with conversions.

A value is an SSA value of type f32, i32, i64, i1 or index, or a Python number: a constant that takes the type of
what it meets. Mixed operands meet in f32, else i64, else index, else i32. Arithmetic of i32 and i64 wraps; that of
indices is exact, and an index that 64 bits do not hold is absent: `//`, `%`, `min` and `max` of one are refused.
"""

from __future__ import annotations

import math as python_math
from collections.abc import Callable
from typing import TypeAlias

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import FloatAttr, IndexType, IntegerAttr, f32, i1, i32, i64
from xdsl.ir import Attribute, Operation, SSAValue

from hetc.compiler.frontend.arithmetic.constants import Constant
from hetc.dialects.mp import AndOp, Intervals, ModOp, OrOp, PresentOp

Value: TypeAlias = SSAValue | int | float

index = IndexType()
_ORDER: tuple[Attribute, ...] = (f32, i64, index, i32)
_INTEGER_LIMIT: dict[Attribute, int] = {i32: 2**31, i64: 2**63, index: 2**63}

COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_CMPF = {"==": "oeq", "!=": "une", "<": "olt", "<=": "ole", ">": "ogt", ">=": "oge"}
_CMPI = {"==": "eq", "!=": "ne", "<": "slt", "<=": "sle", ">": "sgt", ">=": "sge"}
_FLOAT_OPS: dict[str, Callable[[SSAValue, SSAValue], Operation]] = {
    "+": arith.AddfOp, "-": arith.SubfOp, "*": arith.MulfOp, "/": arith.DivfOp,
    "min": arith.MinimumfOp, "max": arith.MaximumfOp,
}  # fmt: skip
_INTEGER_OPS: dict[str, Callable[[SSAValue, SSAValue], Operation]] = {
    "+": arith.AddiOp, "-": arith.SubiOp, "*": arith.MuliOp, "//": arith.FloorDivSIOp, "%": ModOp,
    "min": arith.MinSIOp, "max": arith.MaxSIOp,
}  # fmt: skip


class TypeMismatch(Exception):
    """The operands have no such operation; the message says what was expected and found, `help` what to write."""

    def __init__(self, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.help = help


def type_of(value: Value) -> Attribute:
    """The type that a value has, or takes when it stands alone."""
    if isinstance(value, SSAValue):
        return value.type
    return f32 if isinstance(value, float) else i32


def widens(source: Attribute, target: Attribute) -> bool:
    """Whether a value converts to `target` without being asked to. An index is stored as a 32-bit integer."""
    order = (i1, i32, index, i64, f32)
    return order.index(source) <= order.index(target) or (source == index and target == i32)


def type_name(type_: Attribute) -> str:
    return "bool" if type_ == i1 else str(type_)


class Arithmetic:
    """Builds scalar ops through `add`, which inserts an op with its location and gives its first result. `intervals`
    knows between what the values lie."""

    def __init__(self, add: Callable[[Operation], SSAValue], intervals: Intervals):
        self.add = add
        self.intervals = intervals

    def constant(self, value: Constant, type_: Attribute) -> SSAValue:
        if type_ == f32:
            return self.add(arith.ConstantOp(FloatAttr(float(value), f32)))
        if isinstance(value, float) and not value.is_integer():
            raise TypeMismatch(f"{value} is not an integer")
        number = int(value)
        limit = _INTEGER_LIMIT.get(type_, 2)
        if not -limit <= number < limit:
            raise TypeMismatch(f"{number} does not fit {type_name(type_)}")
        return self.add(arith.ConstantOp(IntegerAttr(number, type_)))  # type: ignore[call-overload]

    def materialize(self, value: Value) -> SSAValue:
        return value if isinstance(value, SSAValue) else self.constant(value, type_of(value))

    def convert(self, value: Value, type_: Attribute) -> SSAValue:
        """The value as `type_`; f32 to an integer truncates, anything to i1 compares with zero."""
        if not isinstance(value, SSAValue):
            if type_ == i1:
                return self.constant(int(value != 0), i1)
            if isinstance(value, float) and type_ != f32:
                if not python_math.isfinite(value):
                    raise TypeMismatch(f"{value} does not fit {type_name(type_)}")
                value = python_math.trunc(value)
            return self.constant(value, type_)
        source = value.type
        if source == type_:
            return value
        if type_ == i1:
            return self.compare("!=", value, 0)
        if source == i1:
            return self.convert(self.add(arith.ExtUIOp(value, i32)), type_)
        if type_ == f32:
            return self.add(arith.SIToFPOp(self.as_number(value), f32))
        if source == f32:
            return self.convert(self.add(arith.FPToSIOp(value, i64 if type_ == i64 else i32)), type_)
        if index in (source, type_):
            return self.add(arith.IndexCastOp(value, type_))  # type: ignore[arg-type]
        return self.add(arith.ExtSIOp(value, i64) if type_ == i64 else arith.TruncIOp(value, i32))

    def as_number(self, value: SSAValue) -> SSAValue:
        """An index as an i32, or as an i64 where it may need that; anything else as it is."""
        if value.type != index:
            return value
        return self.convert(value, i32 if self.intervals.of(value).fits(32) else i64)

    def check_held(self, operator: str, *values: SSAValue) -> None:
        """Raises TypeMismatch where an operator would bring back into reach what may be beyond 64 bits."""
        if any(map(self.intervals.may_overflow, values)):
            raise TypeMismatch(f"this index may be beyond 64 bits, so that it has no value for `{operator}`")

    def join(self, values: list[Value]) -> list[SSAValue]:
        """The values in the one type in which they meet."""
        types = [value.type for value in values if isinstance(value, SSAValue)]
        if any(isinstance(value, float) for value in values):
            types.append(f32)
        meeting = next((type_ for type_ in _ORDER if type_ in types), i32)
        return [self.convert(value, meeting) for value in values]

    def as_float(self, value: Value) -> SSAValue:
        return self.convert(value, f32)

    def as_index(self, value: Value) -> SSAValue:
        """An integer as an index. Raises TypeMismatch for a float or a condition."""
        if type_of(value) in (f32, i1):
            raise TypeMismatch(f"expected an integer or an index, found {type_name(type_of(value))}")
        return self.convert(value, index)

    def as_condition(self, value: Value) -> SSAValue:
        if not isinstance(value, SSAValue) or value.type != i1:
            raise TypeMismatch(f"expected a condition, found {type_name(type_of(value))}")
        return value

    def numeric(self, value: Value) -> Value:
        """A condition as 0 or 1, anything else as it is."""
        return self.convert(value, i32) if isinstance(value, SSAValue) and value.type == i1 else value

    def binary(self, operator: str, left: Value, right: Value) -> SSAValue:
        """`+ - * / // % min max`, never on two constants (those are folded)."""
        if operator == "/":
            return self.add(arith.DivfOp(self.as_float(left), self.as_float(right)))
        a, b = self.join([self.numeric(left), self.numeric(right)])
        if operator not in ("+", "-", "*"):
            self.check_held(operator, a, b)
        if a.type != f32:
            return self.add(_INTEGER_OPS[operator](a, b))
        if operator in ("//", "%"):
            quotient = self.add(math.FloorOp(self.add(arith.DivfOp(a, b))))
            return quotient if operator == "//" else self.binary("-", a, self.binary("*", b, quotient))
        return self.add(_FLOAT_OPS[operator](a, b))

    def clamp(self, value: SSAValue, low: int, high: int) -> SSAValue:
        return self.binary("min", self.binary("max", value, low), high)

    def compare(self, operator: str, left: Value, right: Value) -> SSAValue:
        a, b = self.join([self.numeric(left), self.numeric(right)])
        if a.type == f32:
            return self.add(arith.CmpfOp(a, b, _CMPF[operator]))
        return self.add(arith.CmpiOp(a, b, _CMPI[operator]))

    def both(self, left: Value, right: Value) -> SSAValue:
        return self.add(arith.AndIOp(self.as_condition(left), self.as_condition(right)))

    def decided(self, operator: str, left: Value, right: Value) -> SSAValue:
        """`and` or `or` of the language: a present side may decide where the other is absent."""
        join = AndOp if operator == "and" else OrOp
        return self.add(join(self.as_condition(left), self.as_condition(right)))

    def present(self, value: Value) -> SSAValue:
        """Whether the value is present."""
        return self.add(PresentOp(value)) if isinstance(value, SSAValue) else self.constant(1, i1)

    def absent(self, type_: Attribute) -> SSAValue:
        """What an absent value of this type is stored as: 0, false, or -1 for an index."""
        return self.constant(-1 if type_ == index else 0, type_)

    def coalesce(self, value: Value, instead: Value) -> SSAValue:
        """The value where it is present, else another."""
        return self.choose(self.present(value), value, instead)

    def negate_condition(self, value: Value) -> SSAValue:
        return self.add(arith.XOrIOp(self.as_condition(value), self.constant(1, i1)))

    def negate(self, value: SSAValue) -> SSAValue:
        number = self.numeric(value)
        if type_of(number) == f32:
            return self.add(arith.NegfOp(self.materialize(number)))
        return self.binary("-", 0, number)

    def reversed(self, score: SSAValue) -> SSAValue:
        """A score that orders the other way round: of integers -1 - x, since the least has no negative."""
        if score.type == f32:
            return self.negate(score)
        return self.add(arith.XOrIOp(score, self.constant(-1, score.type)))

    def difference(self, larger: SSAValue, smaller: SSAValue) -> SSAValue:
        """How far one score lies above another; of two integers an index, which is exact."""
        a, b = self.join([larger, smaller])
        if a.type == f32:
            return self.binary("-", a, b)
        return self.binary("-", self.as_index(a), self.as_index(b))

    def choose(self, condition: Value, then: Value, otherwise: Value) -> SSAValue:
        test = self.as_condition(condition)
        if type_of(then) == i1 and type_of(otherwise) == i1:
            a, b = self.materialize(then), self.materialize(otherwise)
        else:
            a, b = self.join([self.numeric(then), self.numeric(otherwise)])
        return self.add(arith.SelectOp(test, a, b))
