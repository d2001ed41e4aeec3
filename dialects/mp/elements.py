"""Element types: the language's dtypes in the IR, what they compute in, and what they take."""

from __future__ import annotations

from xdsl.dialects.builtin import (
    AnyFloat,
    BFloat16Type,
    Float4E2M1FNType,
    Float8E4M3FNType,
    Float8E5M2Type,
    Float8E8M0FNUType,
    Float16Type,
    Float32Type,
    IndexType,
    IntegerType,
    Signedness,
    i1,
    i32,
    i64,
)
from xdsl.ir import Attribute, ParametrizedAttribute, TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.utils.exceptions import VerifyException

from hetc.numerics import dtype_of


@irdl_attr_definition
class WideIndexType(ParametrizedAttribute, TypeAttribute):
    """An element that is an index stored in 64 bits: `!mp.index64`. An element of type `index` takes 32; which of the
    two a statement has follows from the least and the largest value that it can have. In a region both are `index`."""

    name = "mp.index64"


_INDEX, _F32 = IndexType(), Float32Type()


def compute_type(element: Attribute) -> Attribute:
    """The type that an element has in a region: floats f32, integers i32 (64-bit ones i64), bool i1, index index."""
    if is_index(element):
        return _INDEX
    if isinstance(element, AnyFloat) and storage_bits(element) <= 32:
        return _F32
    if isinstance(element, IntegerType) and element.width.data in (1, 2, 4, 8, 16, 32, 64):
        width = element.width.data
        return i1 if width == 1 else i64 if width == 64 else i32
    raise VerifyException(f"mp.tensor: unsupported element type {element}")


def is_index(element: Attribute) -> bool:
    """Whether elements of this type are indices, stored in 32 or in 64 bits."""
    return isinstance(element, IndexType | WideIndexType)


def storage_bits(element: Attribute) -> int:
    """Bits of one stored element. An index is stored as a 32-bit or 64-bit integer, a bool as one byte. What is packed
    counts as a byte, too: the pass expand-codes makes bytes of it, before anything asks where it lies."""
    if is_index(element):
        return 64 if isinstance(element, WideIndexType) else 32
    if element not in _DTYPE_NAMES:
        raise VerifyException(f"mp.tensor: unsupported element type {element}")
    return dtype_of(dtype_name(element)).storage_bits


def is_coded(element: Attribute) -> bool:
    """Whether elements of this type are codes in bytes to kernels (see the table of number types)."""
    return not is_index(element) and dtype_of(dtype_name(element)).is_coded


_INTEGER_NAMES = {
    (2, Signedness.SIGNED): "i2",
    (2, Signedness.UNSIGNED): "u2",
    (4, Signedness.SIGNED): "i4",
    (4, Signedness.UNSIGNED): "u4",
    (8, Signedness.SIGNED): "i8",
    (8, Signedness.UNSIGNED): "u8",
    (16, Signedness.SIGNED): "i16",
    (32, Signedness.SIGNLESS): "i32",
    (64, Signedness.SIGNLESS): "i64",
    (1, Signedness.SIGNLESS): "bool",
}
ELEMENT_TYPES: dict[str, Attribute] = {
    "f32": Float32Type(),
    "f16": Float16Type(),
    "bf16": BFloat16Type(),
    "fp8": Float8E4M3FNType(),
    "fp8e5m2": Float8E5M2Type(),
    "fp4": Float4E2M1FNType(),
    "e8m0": Float8E8M0FNUType(),
    "index": IndexType(),
    "index64": WideIndexType(),
    **{name: IntegerType(width, signedness) for (width, signedness), name in _INTEGER_NAMES.items()},
}
"""The language's dtype names and their element types."""
_DTYPE_NAMES = {element: name for name, element in ELEMENT_TYPES.items()}


def dtype_name(element: Attribute) -> str:
    """The language's name of an element type (`bf16`, `fp8`, `u8`, `index`, ...)."""
    return _DTYPE_NAMES[element]
