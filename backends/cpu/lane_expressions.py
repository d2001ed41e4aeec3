"""Operations of lanes as C++ expressions: those of numbers, on `hetc::lanes`."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, i1, i32, i64
from xdsl.ir import Attribute, Operation

from hetc.backends.cpu.places import value_type
from hetc.backends.cxx import c_types
from hetc.backends.cxx.expressions import Expression, Style, expression
from hetc.dialects.mp import RoundOp, compute_type, dtype_name

_NARROW_FLOATS = ("f16", "bf16", "fp8", "fp8e5m2")
_SATURATED = ("i8", "u8", "i16")
_UNSIGNED = {6: "<", 7: "<=", 8: ">", 9: ">="}
_BESIDE_NUMBERS = (
    arith.AddfOp, arith.SubfOp, arith.MulfOp, arith.DivfOp, arith.CmpfOp, arith.CmpiOp, arith.AndIOp, arith.OrIOp,
    arith.XOrIOp,
)  # fmt: skip


def lanes_of(type: str, count: int) -> str:
    """The C++ type of so many numbers."""
    return f"hetc::lanes<{type}, {count}>"


def splat(type: Attribute, number: Expression, count: int) -> Expression:
    """The same number in every lane."""
    return Expression(f"{lanes_of(value_type(type), count)}({number.text})")


def lane_expression(op: Operation, operands: Sequence[Expression], own: Sequence[bool], count: int) -> Expression:
    """The single result of `op`, of which each lane has its own. own: which operands are lanes; others are numbers."""
    wide = [
        item if is_own else splat(value.type, item, count)
        for item, is_own, value in zip(operands, own, op.operands, strict=True)
    ]
    style = Style(lambda type: lanes_of(value_type(type), count), "hetc")
    if isinstance(op, arith.SelectOp):
        if not own[0]:
            return Expression(f"{operands[0].operand} ? {wide[1].operand} : {wide[2].operand}", False)
        return Expression(f"hetc::select({', '.join(item.text for item in wide)})")
    if isinstance(op, arith.CmpiOp) and op.predicate.value.data in _UNSIGNED:
        return _unsigned(op, wide, count)
    if isinstance(op, RoundOp):
        return _rounded(op, wide[0], count)
    if len(op.operands) == 1:
        return _single(op, wide[0], style, count)
    operators = isinstance(op, _BESIDE_NUMBERS) or (op.results[0].type not in (i32, i64) and op.name in _INDEX)
    return expression(op, operands if operators else wide, style)


_INDEX = ("arith.addi", "arith.subi", "arith.muli")


def _unsigned(op: arith.CmpiOp, wide: Sequence[Expression], count: int) -> Expression:
    word = lanes_of("uint64_t" if op.lhs.type not in (i1, i32) else "uint32_t", count)
    sign = _UNSIGNED[op.predicate.value.data]
    return Expression(f"{word}({wide[0].text}) {sign} {word}({wide[1].text})", False)


def _single(op: Operation, operand: Expression, style: Style, count: int) -> Expression:
    source, target = op.operands[0].type, op.results[0].type
    wanted = style.types(target)
    match op.name:
        case "arith.bitcast" if source != target:
            function = "float_of" if isinstance(target, Float32Type) else "bits_of"
            return Expression(f"hetc::{function}({operand.text})")
        case "arith.sitofp" | "arith.extsi" if source == i1:
            return Expression(f"-{wanted}({operand.text})", False)
        case "arith.extui" if source != i1 and target == i64:
            return Expression(f"{wanted}({lanes_of('uint32_t', count)}({operand.text}))")
    return expression(op, [operand], style)


def _rounded(op: RoundOp, operand: Expression, count: int) -> Expression:
    """`mp.round`, as numbers are rounded."""
    name, source, target = dtype_name(op.element), op.value.type, op.results[0].type
    is_float, text = isinstance(source, Float32Type), operand.text
    own = lanes_of(value_type(target), count)
    if name in _NARROW_FLOATS:
        number = text if is_float else f"{lanes_of('float', count)}({text})"
        return Expression(f"hetc::from_{name}(hetc::to_{name}({number}))")
    if name == "bool":
        return Expression(f"{operand.operand} != {c_types.zero(source)}", False)
    if name == "f32":
        return operand if is_float else Expression(f"{own}({text})")
    if name == "i64":
        return Expression(f"hetc::to_i64(hetc::rint({text}))" if is_float else f"{own}({text})")
    whole = f"hetc::to_i32(hetc::rint({text}))" if is_float else text
    if name in _SATURATED:
        return Expression(f"hetc::saturate_{name}({whole})")
    return Expression(f"hetc::saturate_i32({text})") if source == i64 else Expression(whole)


def decoded(element: Attribute, stored: str, count: int) -> Expression:
    """The values of stored elements."""
    name = dtype_name(element)
    if name in _NARROW_FLOATS:
        return Expression(f"hetc::from_{name}({stored})")
    if name == "bool":
        return Expression(f"{stored} != 0", False)
    wanted = value_type(compute_type(element))
    return Expression(stored if wanted == c_types.storage(element) else f"{lanes_of(wanted, count)}({stored})")


def kept(element: Attribute, text: str, count: int) -> str:
    """Values as they are stored, in lanes of the element's type."""
    stored = encoded(element, text)
    is_same = dtype_name(element) in _NARROW_FLOATS or c_types.storage(element) == value_type(compute_type(element))
    return stored if is_same else f"{lanes_of(c_types.storage(element), count)}({stored})"


def encoded(element: Attribute, text: str) -> str:
    """Values as they are stored, in lanes of the element's type or of a wider one that holds its numbers."""
    name = dtype_name(element)
    if name in _NARROW_FLOATS:
        return f"hetc::to_{name}({text})"
    return f"hetc::saturate_{name}({text})" if name in _SATURATED else text
