"""Scalar operations as C++ expressions: one table, no decisions. What differs between the devices that are programmed
in C++ is a `Style`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, FloatAttr, IndexType, IntegerAttr, i1, i64
from xdsl.ir import Attribute, Operation

from hetc.backends.cxx.c_types import NumberTypes, rounded
from hetc.dialects.mp import RoundOp


@dataclass(frozen=True)
class Expression:
    """Text, and whether it can stand beside any operator without parentheses."""

    text: str
    atomic: bool = True

    @property
    def operand(self) -> str:
        return self.text if self.atomic else f"({self.text})"


_INFIX = {"arith.addf": "+", "arith.subf": "-", "arith.mulf": "*", "arith.divf": "/"}
_INDEX_INFIX = {"arith.addi": "+", "arith.subi": "-", "arith.muli": "*"}
_WRAPPING = {"arith.addi": "wrap_add", "arith.subi": "wrap_sub", "arith.muli": "wrap_mul"}
_CONDITION_INFIX = {"arith.andi": "&&", "arith.ori": "||", "arith.xori": "!=", "arith.muli": "&&", "arith.addi": "!="}
_BITWISE = {"arith.andi": "&", "arith.ori": "|", "arith.xori": "^"}
_RULES = {
    "arith.maximumf": "hetc::maximum", "arith.minimumf": "hetc::minimum", "arith.maxsi": "hetc::larger",
    "arith.minsi": "hetc::smaller", "arith.floordivsi": "hetc::floor_div", "arith.divsi": "hetc::truncating_div",
    "mp.mod": "hetc::floor_mod", "arith.shli": "hetc::shift_left", "arith.shrui": "hetc::shift_right_unsigned",
    "arith.shrsi": "hetc::shift_right_signed", "math.absi": "hetc::wrap_abs",
}  # fmt: skip
_MATH = {
    "math.absf": "fabs", "math.exp": "exp", "math.exp2": "exp2", "math.expm1": "expm1", "math.log": "log",
    "math.log2": "log2", "math.log10": "log10", "math.log1p": "log1p", "math.sqrt": "sqrt", "math.cbrt": "cbrt",
    "math.rsqrt": "rsqrt", "math.tanh": "tanh", "math.sin": "sin", "math.cos": "cos", "math.tan": "tan",
    "math.sinh": "sinh", "math.cosh": "cosh", "math.asin": "asin", "math.acos": "acos", "math.atan": "atan",
    "math.atan2": "atan2", "math.erf": "erf", "math.floor": "floor", "math.ceil": "ceil", "math.trunc": "trunc",
    "math.round": "round", "math.roundeven": "rint", "math.powf": "pow", "math.copysign": "copysign",
    "math.fma": "fma",
}  # fmt: skip
_CASTS = (
    "arith.sitofp", "arith.uitofp", "arith.fptosi", "arith.index_cast", "arith.extsi", "arith.extui", "arith.trunci",
    "arith.bitcast",
)  # fmt: skip
_ORDERED = {"oeq": "==", "ogt": ">", "oge": ">=", "olt": "<", "ole": "<=", "une": "!="}
_NEGATED = {"ult": ">=", "ule": ">", "ugt": "<=", "uge": "<"}  # true for NaN too
# In the order of the attributes' numbers.
_FLOAT_NAMES = "false oeq ogt oge olt ole one ord ueq ugt uge ult ule une uno true"
_INTEGER_NAMES = "eq ne slt sle sgt sge ult ule ugt uge"
_FLOAT_PREDICATES = _FLOAT_NAMES.split()
_INTEGER_PREDICATES = _INTEGER_NAMES.split()
_SIGNED = {"eq": "==", "ne": "!=", "slt": "<", "sle": "<=", "sgt": ">", "sge": ">="}
_UNSIGNED = {"ult": "<", "ule": "<=", "ugt": ">", "uge": ">="}


@dataclass(frozen=True)
class Style:
    """How one device's C++ is written. types: the C++ type of each number; math: the namespace of its mathematics;
    wide: types whose bare numbers C++ would take for an `int` where it deduces a template's argument."""

    types: NumberTypes
    math: str
    wide: tuple[Attribute, ...] = (i64,)


def is_known(op: Operation) -> bool:
    """Whether `expression` can write the operation."""
    own: tuple[type[Operation], ...] = (
        arith.ConstantOp,
        arith.CmpfOp,
        arith.CmpiOp,
        arith.SelectOp,
        arith.NegfOp,
        RoundOp,
    )
    known = {*_INFIX, *_RULES, *_MATH, *_CASTS, *_BITWISE, *_WRAPPING}
    return isinstance(op, own) or op.name in known


def expression(op: Operation, operands: Sequence[Expression], style: Style) -> Expression:
    """The single result of `op` over its operands' expressions. KeyError for an operation not in the tables."""
    if isinstance(op, arith.ConstantOp):
        return constant(op.value, op.result.type)
    if isinstance(op, arith.CmpfOp):
        return _compare_floats(_FLOAT_PREDICATES[op.predicate.value.data], *operands)
    if isinstance(op, arith.CmpiOp):
        return _compare_integers(_INTEGER_PREDICATES[op.predicate.value.data], op.lhs.type, *operands)
    if isinstance(op, arith.SelectOp):
        condition, then, otherwise = operands
        return Expression(f"{condition.operand} ? {then.operand} : {otherwise.operand}", False)
    if isinstance(op, arith.NegfOp):
        return Expression(f"-{operands[0].operand}", False)
    if isinstance(op, RoundOp):
        return Expression(rounded(op.element, op.value.type, operands[0].operand, style.math), False)
    if op.name in _CASTS:
        return _cast(op, operands[0], style)
    return _binary(op, operands, style)


def without_parentheses(text: str) -> str:
    """An expression that stands alone, without the parentheses around all of it."""
    depth = 0
    for at, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return text[1:-1] if text.startswith("(") and at == len(text) - 1 else text
    return text


def _infix(operator: str, operands: Sequence[Expression]) -> Expression:
    return Expression(f" {operator} ".join(item.operand for item in operands), False)


def _binary(op: Operation, operands: Sequence[Expression], style: Style) -> Expression:
    type_ = op.results[0].type
    if op.name in _INFIX:
        return _infix(_INFIX[op.name], operands)
    if type_ == i1 and op.name in _CONDITION_INFIX:
        return _infix(_CONDITION_INFIX[op.name], operands)
    if op.name in _BITWISE:
        return _infix(_BITWISE[op.name], operands)
    if isinstance(type_, IndexType) and op.name in _INDEX_INFIX:
        return _infix(_INDEX_INFIX[op.name], operands)
    if op.name in _MATH:
        name = f"{style.math}::{_MATH[op.name]}"
    else:
        name = f"hetc::{_WRAPPING[op.name]}" if op.name in _WRAPPING else _RULES[op.name]
    texts = [_typed(item, operand.type, style) for item, operand in zip(operands, op.operands, strict=True)]
    return Expression(f"{name}({', '.join(texts)})")


def _typed(item: Expression, type: Attribute, style: Style) -> str:
    """An argument of a template, whose type C++ must not guess from bare numbers."""
    is_number = set(item.text) <= set("0123456789 +-*()")
    return f"{style.types(type)}({item.text})" if is_number and type in style.wide else item.text


def _cast(op: Operation, operand: Expression, style: Style) -> Expression:
    source, target = op.operands[0].type, op.results[0].type
    text, wanted = operand.text, style.types(target)
    match op.name:
        case "arith.sitofp" if source == i1:
            return Expression(f"-float({text})", False)
        case "arith.fptosi":
            return Expression(f"hetc::to_{'i64' if target == i64 else 'i32'}({text})")
        case "arith.bitcast" if source == target:
            return operand
        case "arith.bitcast":
            if isinstance(target, Float32Type):
                return Expression(f"hetc::float_of(uint32_t({text}))")
            return Expression(f"int32_t(hetc::bits_of({text}))")
        case "arith.trunci" if target == i1:
            return Expression(f"({operand.operand} & 1) != 0", False)
        case "arith.extsi" if source == i1:
            return Expression(f"-{wanted}({text})", False)
        case "arith.extui" if source != i1 and target == i64:
            return Expression(f"int64_t(uint32_t({text}))")
    if style.types(source) == wanted or {style.types(source), wanted} == {"int", "int32_t"}:
        return operand
    return Expression(f"{wanted}({text})")


def _compare_floats(predicate: str, lhs: Expression, rhs: Expression) -> Expression:
    a, b = lhs.operand, rhs.operand
    if predicate in _ORDERED:
        return Expression(f"{a} {_ORDERED[predicate]} {b}", False)
    if predicate in _NEGATED:
        return Expression(f"!({a} {_NEGATED[predicate]} {b})")
    others: dict[str, str] = {
        "one": f"{a} < {b} || {a} > {b}",
        "ueq": f"!({a} < {b} || {a} > {b})",
        "ord": f"{a} == {a} && {b} == {b}",
        "uno": f"{a} != {a} || {b} != {b}",
        "true": "true",
        "false": "false",
    }
    return Expression(others[predicate], False)


def _compare_integers(predicate: str, type: Attribute, lhs: Expression, rhs: Expression) -> Expression:
    if predicate in _SIGNED:
        return Expression(f"{lhs.operand} {_SIGNED[predicate]} {rhs.operand}", False)
    word = "uint64_t" if type == i64 else "uint32_t"
    return Expression(f"{word}({lhs.text}) {_UNSIGNED[predicate]} {word}({rhs.text})", False)


def constant(attribute: Attribute, type: Attribute) -> Expression:
    """A literal."""
    if isinstance(attribute, FloatAttr):
        return float_literal(attribute.value.data)
    assert isinstance(attribute, IntegerAttr)
    number = attribute.value.data
    if type == i1:
        return Expression("true" if number else "false")
    if type == i64:
        return Expression(f"int64_t({number}LL)" if abs(number) < 1 << 62 else f"int64_t({number & (1 << 64) - 1}ULL)")
    if number == -(1 << 31):
        return Expression("(-2147483647 - 1)")
    return Expression(str(number), number >= 0)


def float_literal(number: float) -> Expression:
    """The shortest decimal that gives this f32."""
    single = np.float32(number)
    if math.isnan(single):
        return Expression("hetc::not_a_number()")
    if math.isinf(single):
        return Expression("hetc::infinity()" if single > 0 else "-hetc::infinity()", bool(single > 0))
    text = repr(float(str(single)))
    return Expression(f"{text}f", not text.startswith("-"))
