"""Triton's names of types."""

from __future__ import annotations

from xdsl.dialects.builtin import (
    AnyFloat,
    BFloat16Type,
    Float16Type,
    Float32Type,
    Float64Type,
    IntegerType,
    Signedness,
)
from xdsl.ir import Attribute

_FLOATS: dict[type[Attribute], tuple[str, str]] = {
    Float64Type: ("tl.float64", "fp64"),
    Float32Type: ("tl.float32", "fp32"),
    Float16Type: ("tl.float16", "fp16"),
    BFloat16Type: ("tl.bfloat16", "bf16"),
}


def language_type(element: Attribute) -> str:
    """As kernels write it: `tl.float32`."""
    if isinstance(element, AnyFloat):
        return _FLOATS[type(element)][0]
    assert isinstance(element, IntegerType)
    unsigned = "u" if element.signedness.data is Signedness.UNSIGNED else ""
    return f"tl.{unsigned}int{element.width.data}"


def signature_type(element: Attribute) -> str:
    """As a compiled kernel's signature has it: `fp32`, `u8`."""
    if isinstance(element, AnyFloat):
        return _FLOATS[type(element)][1]
    assert isinstance(element, IntegerType)
    return f"{'u' if element.signedness.data is Signedness.UNSIGNED else 'i'}{element.width.data}"
