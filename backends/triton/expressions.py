"""Python expressions of tile, arith and math ops."""

from __future__ import annotations

import math as numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import AnyFloat, FloatAttr, IntegerAttr, TensorType, i1, i64
from xdsl.ir import Attribute, Operation

from hetc.backends.triton.types import language_type
from hetc.dialects import tile
from hetc.dialects.tile import element_of, shape_of

ATOM, UNARY, PRODUCT, SUM, SHIFT, AND, XOR, OR, COMPARISON = range(9)


@dataclass(frozen=True)
class Text:
    """An expression, how tightly its outermost operator binds (0 binds most), and whether it is a plain number."""

    text: str
    level: int = ATOM
    literal: bool = False

    def at(self, level: int) -> str:
        """In parentheses unless it binds at least as tightly as `level`."""
        return self.text if self.level <= level else f"({self.text})"


_OPERATORS: dict[type[Operation], tuple[str, int]] = {
    arith.AddfOp: ("+", SUM), arith.AddiOp: ("+", SUM), arith.SubfOp: ("-", SUM), arith.SubiOp: ("-", SUM),
    arith.MulfOp: ("*", PRODUCT), arith.MuliOp: ("*", PRODUCT), arith.DivSIOp: ("//", PRODUCT),
    arith.RemSIOp: ("%", PRODUCT), arith.ShLIOp: ("<<", SHIFT), arith.ShRSIOp: (">>", SHIFT),
    arith.AndIOp: ("&", AND), arith.XOrIOp: ("^", XOR), arith.OrIOp: ("|", OR),
}  # fmt: skip

_CALLS: dict[type[Operation], str] = {
    arith.DivfOp: "tl.div_rn", arith.MaximumfOp: "nan_maximum", arith.MinimumfOp: "nan_minimum",
    arith.MaxSIOp: "tl.maximum", arith.MinSIOp: "tl.minimum", arith.FloorDivSIOp: "floor_divide",
    tile.ModOp: "floor_modulo", arith.ShRUIOp: "shift_right_logical", math.Atan2Op: "atan2", math.PowFOp: "power",
    math.ExpOp: "tl.exp", math.LogOp: "tl.log", math.SqrtOp: "tl.sqrt_rn", math.RsqrtOp: "tl.rsqrt",
    math.AbsFOp: "tl.abs", math.AbsIOp: "tl.abs", math.TanhOp: "tanh", math.SinOp: "sin", math.CosOp: "cos",
    math.ErfOp: "tl.erf", math.FloorOp: "tl.floor", math.CeilOp: "tl.ceil", math.RoundEvenOp: "round_even",
}  # fmt: skip

_COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}

_FORMATS = {"f8E4M3FN": "e4m3", "f8E5M2": "e5m2"}
_REDUCE_CALLS = {"sum": "tl.sum", "max": "tl.max", "min": "tl.min"}


def literal(value: int | float, element: Attribute) -> Text:
    """A constant as a Python number."""
    if isinstance(element, AnyFloat):
        value = float(value)
        if not numbers.isfinite(value):
            return Text(f'float("{value}")', literal=True)
        return Text(repr(value), ATOM if numbers.copysign(1.0, value) > 0 else UNARY, literal=True)
    if element == i1:
        return Text(str(bool(value)), literal=True)
    return Text(str(value), ATOM if value >= 0 else UNARY, literal=True)


def constant_value(op: arith.ConstantOp) -> int | float:
    assert isinstance(op.value, FloatAttr | IntegerAttr)
    return op.value.value.data


def filled(shape: Sequence[int], value: Text, element: Attribute) -> Text:
    """A tile of one value; `()` gives a scalar."""
    return Text(f"tl.full({_tuple(shape)}, {value.text}, {language_type(element)})")


def _tuple(items: Sequence[object]) -> str:
    return f"({', '.join(map(str, items))}{',' if len(items) == 1 else ''})"


def is_elementwise(op: Operation) -> bool:
    """Whether Triton broadcasts the op's operands itself."""
    return type(op) in _OPERATORS or type(op) in _CALLS or isinstance(op, tile.CompareOp | tile.WhereOp)


def express(op: Operation, operands: Sequence[Text], use: Callable[[str], str]) -> Text:
    """The expression of a pure op. `use` notes a helper function and returns its name."""
    if isinstance(op, arith.ConstantOp):
        return literal(constant_value(op), element_of(op.result.type))
    operands = _as_tensors(op, operands)
    kind = type(op)
    if kind in _OPERATORS:
        return _operator(kind, operands)
    if kind in _CALLS:
        return Text(f"{_function(_CALLS[kind], use)}({', '.join(item.text for item in operands)})")
    if isinstance(op, tile.CompareOp):
        sign = _COMPARISONS[op.predicate.data]
        return Text(f"{operands[0].at(OR)} {sign} {operands[1].at(OR)}", COMPARISON)
    match op:
        case arith.NegfOp():
            return Text(f"-{operands[0].at(ATOM)}", UNARY)
        case arith.BitcastOp():
            return Text(f"{operands[0].at(ATOM)}.to({language_type(element_of(op.result.type))}, bitcast=True)")
        case tile.WhereOp():
            return Text(f"tl.where({', '.join(item.text for item in operands)})")
        case tile.CastOp():
            return _cast(op, operands[0], use)
    return _tile_expression(op, operands, use)


def _function(name: str, use: Callable[[str], str]) -> str:
    return name if name.startswith("tl.") else use(name)


def _as_tensors(op: Operation, operands: Sequence[Text]) -> list[Text]:
    """Numbers as Triton scalars where there is no tensor operand to give them a type, or a function needs one."""
    if isinstance(op, tile.BroadcastOp):
        return list(operands)
    helper = type(op) in _CALLS and not _CALLS[type(op)].startswith("tl.m")
    # A condition gives no type: `tl.where(c, 3, 1)` is of 32 bits.
    values = operands[1:] if isinstance(op, tile.WhereOp) and element_of(op.result.type) == i64 else operands
    typed = not all(item.literal for item in values) and not helper
    wide = any(element_of(operand.type) == i64 for operand in op.operands)
    return [
        filled((), item, element_of(operand.type))
        if item.literal and (not typed or (wide and _is_wide(item)))
        else item
        for item, operand in zip(operands, op.operands, strict=True)
    ]


def _is_wide(item: Text) -> bool:
    return item.text.lstrip("-").isdigit() and abs(int(item.text)) >= 2**31


def _operator(kind: type[Operation], operands: Sequence[Text]) -> Text:
    sign, level = _OPERATORS[kind]
    left, right = operands
    # a - (b - c), a * (b // c): the right side binds tighter, unless every operator of the level may be regrouped
    tighter = level if kind in (arith.AddiOp, arith.AndIOp, arith.OrIOp, arith.XOrIOp) else level - 1
    return Text(f"{left.at(level)} {sign} {right.at(tighter)}", level)


def _cast(op: tile.CastOp, value: Text, use: Callable[[str], str]) -> Text:
    source, target = element_of(op.value.type), element_of(op.result.type)
    if isinstance(source, AnyFloat) and not isinstance(target, AnyFloat):
        return Text(f"{use('to_int64' if target == i64 else 'to_int32')}({value.text})")
    if not isinstance(op.value.type, TensorType):  # a loop's index may be a plain Python number
        return Text(f"tl.cast({value.text}, {language_type(target)})")
    return Text(f"{value.at(ATOM)}.to({language_type(target)})")


def _tile_expression(op: Operation, operands: Sequence[Text], use: Callable[[str], str]) -> Text:
    match op:
        case tile.ProgramIdOp():
            return Text("tl.program_id(0)")
        case tile.RangeOp():
            shape, dim = shape_of(op.result.type), op.dim.value.data
            places = ", ".join(":" if position == dim else "None" for position in range(len(shape)))
            return Text(f"tl.arange(0, {shape[dim]})" + (f"[{places}]" if len(shape) > 1 else ""))
        case tile.BroadcastOp():
            shape = shape_of(op.result.type)
            if not shape_of(op.value.type):
                return filled(shape, operands[0], element_of(op.result.type))
            return Text(f"tl.broadcast_to({operands[0].text}, {_tuple(shape)})")
        case tile.ReshapeOp():
            return Text(f"tl.reshape({operands[0].text}, {_tuple(shape_of(op.result.type))})")
        case tile.PermuteOp():
            return Text(f"tl.permute({operands[0].text}, {_tuple([item.data for item in op.by])})")
        case tile.DecodeOp():
            helper = use(f"decode_{_FORMATS[op.format.name]}")
            return Text(f"{helper}({operands[0].text}, {language_type(element_of(op.result.type))}, NATIVE_FP8)")
        case tile.EncodeOp():
            return Text(f"{use(f'encode_{_FORMATS[op.format.name]}')}({operands[0].text})")
        case tile.ReduceOp():
            return _reduce(op, operands[0], use)
        case tile.CumsumOp():
            return Text(f"tl.cumsum({operands[0].text}, {op.dim.value.data})")
        case tile.HistogramOp():
            return Text(f"tl.histogram({operands[0].text}, {shape_of(op.result.type)[0]})")
        case tile.DotOp():
            parts = [item.text for item in operands]
            if element_of(op.a.type).name == "f32":
                parts.append(f'input_precision="{op.precision.data}"')
            return Text(f"tl.dot({', '.join(parts)})")
    raise AssertionError(f"no Triton form of {op.name}: check() lets it pass")


def _reduce(op: tile.ReduceOp, value: Text, use: Callable[[str], str]) -> Text:
    floating = isinstance(element_of(op.value.type), AnyFloat)
    kind = op.kind.data
    scalar = shape_of(op.result.type) == ()
    # With nothing left but the reduced dimension, reducing all of them gives the scalar.
    where = "" if scalar else f", {op.dim.value.data}"
    kept = "" if scalar else ", keep_dims=True"
    if kind == "prod" or (floating and kind in ("max", "min")):
        combine = use({"prod": "product", "max": "nan_maximum", "min": "nan_minimum"}[kind])
        return Text(f"tl.reduce({value.text}, {'None' if scalar else op.dim.value.data}, {combine}{kept})")
    return Text(f"{_REDUCE_CALLS[kind]}({value.text}{where}{kept})")
