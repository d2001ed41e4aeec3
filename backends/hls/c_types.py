"""How types of the fpga dialect are written in C++, and stored elements turned into values and back."""

from __future__ import annotations

from xdsl.dialects.builtin import Float32Type, IndexType, IntegerType, i1, i32, i64
from xdsl.ir import Attribute

from hetc.dialects import fpga
from hetc.dialects.mp import dtype_name

_STORAGE = {
    "f32": "float", "f16": "uint16_t", "bf16": "uint16_t", "fp8": "uint8_t", "fp8e5m2": "uint8_t", "index": "int32_t",
    "i4": "int8_t", "i8": "int8_t", "u8": "uint8_t", "i16": "int16_t", "i32": "int32_t", "i64": "int64_t",
    "bool": "uint8_t",
}  # fmt: skip
_NARROW_FLOATS = ("f16", "bf16", "fp8", "fp8e5m2")
_SATURATED = ("i4", "i8", "u8", "i16")


def storage(element: Attribute) -> str:
    """The C++ type of one stored element or word."""
    if isinstance(element, fpga.WordType):
        return f"ap_uint<{element.bits}>"
    if isinstance(element, fpga.CodeType):
        element = element.element
    return _STORAGE[dtype_name(element)]


def value(type: Attribute) -> str:
    """The C++ type of a value."""
    if isinstance(type, Float32Type):
        return "float"
    if isinstance(type, fpga.WordType):
        return f"ap_uint<{type.bits}>"
    if isinstance(type, IndexType):
        return "int"
    if isinstance(type, fpga.CodeType):
        return storage(type)
    if isinstance(type, IntegerType):
        own = {i1: "bool", i32: "int32_t", i64: "int64_t"}
        return own.get(type) or f"hetc::fixed<{type.width.data}>"
    raise TypeError(f"no C++ type for {type}")


def decode(element: Attribute, stored: str) -> str:
    """The value of a stored element."""
    if isinstance(element, fpga.WordType | fpga.CodeType):
        return stored
    name = dtype_name(element)
    if name in _NARROW_FLOATS:
        return f"hetc::from_{name}({stored})"
    return f"{stored} != 0" if name == "bool" else stored


def encode(element: Attribute, text: str) -> str:
    """A value as it is stored: rounded to nearest even, saturating where the element is narrower."""
    if isinstance(element, fpga.WordType | fpga.CodeType):
        return text
    name = dtype_name(element)
    if name in _NARROW_FLOATS:
        return f"{_STORAGE[name]}(hetc::to_{name}({text}))"
    if name in _SATURATED:
        return f"hetc::saturate_{name}({text})"
    return f"uint8_t({text})" if name == "bool" else text


def rounded(element: Attribute, source: Attribute, text: str) -> str:
    """`mp.round`: the nearest value of `element`, as a value of its compute type."""
    name = "index" if isinstance(element, IndexType) else dtype_name(element)
    is_float = isinstance(source, Float32Type)
    if name in _NARROW_FLOATS:
        return f"hetc::from_{name}(hetc::to_{name}({text if is_float else f'float({text})'}))"
    if name == "f32":
        return text if is_float else f"float({text})"
    if name == "bool":
        return f"{text} != 0"
    if name == "i64":
        return f"hetc::to_i64(hls::rint({text}))" if is_float else f"int64_t({text})"
    whole = f"hetc::to_i32(hls::rint({text}))" if is_float else text
    if name in _SATURATED:
        return f"int32_t(hetc::saturate_{name}({whole}))"
    return f"hetc::saturate_i32({text})" if source == i64 else whole


def zero(type: Attribute) -> str:
    """The zero of a value's type."""
    if isinstance(type, Float32Type):
        return "0.0f"
    return "false" if type == i1 else f"{value(type)}(0)" if type == i64 or isinstance(type, fpga.WordType) else "0"
