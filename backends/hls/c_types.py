"""How types of the fpga dialect are written in C++, and stored elements turned into values and back."""

from __future__ import annotations

from xdsl.dialects.builtin import Float32Type, IndexType, IntegerType, i1, i32, i64
from xdsl.ir import Attribute

from hetc.backends.cxx import c_types
from hetc.dialects import fpga


def storage(element: Attribute) -> str:
    """The C++ type of one stored element or word."""
    if isinstance(element, fpga.WordType):
        return f"ap_uint<{element.bits}>"
    return c_types.storage(element.element if isinstance(element, fpga.CodeType) else element)


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
    return stored if isinstance(element, fpga.WordType | fpga.CodeType) else c_types.decode(element, stored)


def encode(element: Attribute, text: str) -> str:
    """A value as it is stored: rounded to nearest even, saturating where the element is narrower."""
    return text if isinstance(element, fpga.WordType | fpga.CodeType) else c_types.encode(element, text)


def zero(type: Attribute) -> str:
    """The zero of a value's type."""
    return f"{value(type)}(0)" if isinstance(type, fpga.WordType) else c_types.zero(type)
