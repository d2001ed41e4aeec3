"""Attributes as Python text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from math import isfinite

from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IntAttr,
    IntegerAttr,
    IntegerType,
    StringAttr,
)
from xdsl.ir import Attribute
from xdsl.ir.affine import AffineBinaryOpExpr, AffineBinaryOpKind, AffineConstantExpr, AffineDimExpr, AffineExpr

from hetc.dialects.host import BufferType
from hetc.dialects.mp import DimAttr, TensorType, dtype_name
from hetc.dialects.mp.derived import Groups
from hetc.dialects.tile import GridAttr

_OPERATORS = {
    AffineBinaryOpKind.Add: "+",
    AffineBinaryOpKind.Mul: "*",
    AffineBinaryOpKind.FloorDiv: "//",
    AffineBinaryOpKind.Mod: "%",
}


def affine(expression: AffineExpr, names: Sequence[str]) -> str:
    """An affine expression over `names`; it works on numbers and on numpy arrays."""
    match expression:
        case AffineConstantExpr():
            return str(expression.value)
        case AffineDimExpr():
            return names[expression.position]
        case AffineBinaryOpExpr():
            left, right = affine(expression.lhs, names), affine(expression.rhs, names)
            if expression.kind is AffineBinaryOpKind.CeilDiv:
                return f"-(-{left} // {right})"
            return f"({left} {_OPERATORS[expression.kind]} {right})"
    raise ValueError(f"not an affine expression of dims: {expression}")


def derived(groups: Groups, names: Sequence[str]) -> str:
    """The largest of the least of each group of affine functions."""
    least = [[affine(item, names) for item in group] for group in groups]
    texts = [f"lowest({', '.join(group)})" if len(group) > 1 else group[0] for group in least]
    return f"highest({', '.join(texts)})" if len(texts) > 1 else texts[0]


def extents(type: TensorType) -> str:
    """`("B", "T", 128)`."""
    return tuple_of(repr_of(size) for size in type.shape)


def element(type: TensorType) -> str:
    return repr_of(dtype_name(type.element))


def tuple_of(items: Iterable[str]) -> str:
    """A tuple of items that are Python text."""
    texts = list(items)
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"


def repr_of(value: object) -> str:
    """A literal; strings in double quotes."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)


def number_of(attribute: Attribute) -> int | float:
    """The value of a number attribute."""
    if isinstance(attribute, FloatAttr | IntegerAttr):
        return attribute.value.data
    if isinstance(attribute, IntAttr):
        return attribute.data
    raise ValueError(f"not a number: {attribute}")


def number(value: int | float) -> str:
    """A number as Python spells it."""
    return repr(value) if isfinite(value) else f'float("{value}")'


def table(value: DenseIntOrFPElementsAttr) -> str:
    """The elements of a table, flat."""
    values = list(value.get_values())
    kind = value.get_element_type()
    if isinstance(kind, IntegerType) and kind.width.data == 1:
        values = [bool(item) for item in values]
    first = values[0] if values else 0
    if len(values) > 1 and all(repr(item) == repr(first) for item in values):
        return f"[{_literal(first)}] * {len(values)}"
    return f"[{', '.join(_literal(item) for item in values)}]"


def _literal(value: object) -> str:
    text = repr(value)
    return f'float("{text}")' if text.lstrip("-") in ("inf", "nan") else text


def stripes(type: BufferType) -> str:
    """The constructor of a buffer's stripes, "" where it has none."""
    return f"Stripes({type.channels.data}, {type.axis.data})" if type.channels.data > 1 else ""


def occupant(type: BufferType) -> str:
    """The constructor of what lies in a slot: the tensor, or one of its layers."""
    if type.depth:
        return occupant(type.layer)
    parts = [extents(type.tensor), element(type.tensor), *filter(None, [stripes(type)])]
    return f"Occupant({', '.join(parts)})"


def option(name: str, attribute: Attribute) -> str:
    """One launch option as a keyword argument, "" for an empty list."""
    if name == "grid":
        assert isinstance(attribute, ArrayAttr)
        pairs = [_grid(item) for item in attribute]
        return f"grid=plan.programs({', '.join(pairs)})"
    if isinstance(attribute, ArrayAttr):
        if not attribute.data:
            return ""
        return f"{name}={tuple_of(repr_of(item.data) for item in attribute if isinstance(item, StringAttr))}"
    if isinstance(attribute, StringAttr):
        return f"{name}={repr_of(attribute.data)}"
    return f"{name}={number_of(attribute)}"


def _grid(item: Attribute) -> str:
    assert isinstance(item, GridAttr)
    return f"({repr_of(item.size)}, {item.tile.data})"


def growth(attribute: Attribute) -> str:
    """The rows appended: a number, or the dim that says how many."""
    return repr_of(attribute.symbol.data) if isinstance(attribute, DimAttr) else repr_of(number_of(attribute))
