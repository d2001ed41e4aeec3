"""How numbers are stored in C++, and stored elements turned into values and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from xdsl.dialects.builtin import Float32Type, i1, i64
from xdsl.ir import Attribute

from hetc.dialects.mp import dtype_name

NumberTypes: TypeAlias = Callable[[Attribute], str]
"""The C++ type of a value of a compute type."""

_STORAGE = {
    "f32": "float", "f16": "uint16_t", "bf16": "uint16_t", "fp8": "uint8_t", "fp8e5m2": "uint8_t", "index": "int32_t",
    "index64": "int64_t", "i8": "int8_t", "u8": "uint8_t", "i16": "int16_t", "i32": "int32_t",
    "i64": "int64_t", "bool": "uint8_t",
}  # fmt: skip
_NARROW_FLOATS = ("f16", "bf16", "fp8", "fp8e5m2")
_SATURATED = ("i8", "u8", "i16")


def storage(element: Attribute) -> str:
    """The C++ type of one stored element."""
    return _STORAGE[dtype_name(element)]


def decode(element: Attribute, stored: str) -> str:
    """The value of a stored element."""
    name = dtype_name(element)
    if name in _NARROW_FLOATS:
        return f"hetc::from_{name}({stored})"
    return f"{stored} != 0" if name == "bool" else stored


def encode(element: Attribute, text: str) -> str:
    """A value as it is stored: rounded to nearest even, saturating where the element is narrower."""
    name = dtype_name(element)
    if name in _NARROW_FLOATS:
        return f"{_STORAGE[name]}(hetc::to_{name}({text}))"
    if name in _SATURATED:
        return f"hetc::saturate_{name}({text})"
    return f"uint8_t({text})" if name == "bool" else text


def rounded(element: Attribute, source: Attribute, text: str, math: str) -> str:
    """`mp.round`: the nearest value of `element`, as a value of its compute type. math: the namespace of `rint`."""
    name = dtype_name(element)
    is_float = isinstance(source, Float32Type)
    if name in _NARROW_FLOATS:
        return f"hetc::from_{name}(hetc::to_{name}({text if is_float else f'float({text})'}))"
    if name == "f32":
        return text if is_float else f"float({text})"
    if name == "bool":
        return f"{text} != 0"
    if name == "i64":
        return f"hetc::to_i64({math}::rint({text}))" if is_float else f"int64_t({text})"
    whole = f"hetc::to_i32({math}::rint({text}))" if is_float else text
    if name in _SATURATED:
        return f"int32_t(hetc::saturate_{name}({whole}))"
    return f"hetc::saturate_i32({text})" if source == i64 else whole


def zero(type: Attribute) -> str:
    """The zero of a number's type."""
    if isinstance(type, Float32Type):
        return "0.0f"
    return "false" if type == i1 else "int64_t(0)" if type == i64 else "0"
