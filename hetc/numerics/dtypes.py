"""The language's element types, as one table.

Everything that depends on a type's width or range reads it here: the front end's casts, the oracle's
rounding, storage in numpy and torch, and the tolerances of the tests. Nothing is imported for it: numpy, and
`ml_dtypes`, which gives numpy its bf16 and fp8, are looked up when storage is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

Kind = Literal["float", "int", "uint", "bool"]


class UnknownDTypeError(KeyError):
    """A name that is not one of the language's types."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"unknown element type `{self.name}`; expected one of {', '.join(DTYPES)}"


class MissingStorageError(ImportError):
    """numpy has no storage for this type unless `ml_dtypes` is installed."""


@dataclass(frozen=True)
class DType:
    """An element type.

    bits: width of one value as the language counts it (4 for i4, 1 for bool).
    kind: float, int (two's complement), uint or bool.
    storage_name: the numpy dtype that holds one value by itself; `ml_dtypes.` marks those that numpy lacks.
    storage_bits: width of that numpy dtype: a whole byte for bool and for what is packed, see `per_byte`.
    torch_name: attribute of `torch` of the same storage.
    min_finite, max_finite: the range, as float64 (i64's upper end rounds to 2^63 there).
    mantissa_bits, min_exponent: stored fraction bits, and the exponent of the smallest normal number
        (floats only): subnormals are spaced by 2**(min_exponent - mantissa_bits).
    saturates: a value beyond the range becomes the nearest end of it, an infinity included;
        else it becomes an infinity, as IEEE 754 has it.
    has_nan: false of floats that have none: NaN becomes 0, as in an integer.
    is_scale: powers of two alone, without sign and zero (e8m0).
    """

    name: str
    bits: int
    kind: Kind
    storage_name: str
    storage_bits: int
    torch_name: str
    min_finite: float
    max_finite: float
    mantissa_bits: int = 0
    min_exponent: int = 0
    saturates: bool = True
    has_nan: bool = True
    is_scale: bool = False

    @property
    def per_byte(self) -> int:
        """How many values a byte holds where they are packed, the first in the low bits: 1 of what takes bytes."""
        return 8 // self.bits if self.kind != "bool" and self.bits < 8 else 1

    @property
    def is_coded(self) -> bool:
        """Whether kernels see the type as bytes of codes, which they decode and encode by integer arithmetic."""
        return self.per_byte > 1 or self.is_scale

    @property
    def is_float(self) -> bool:
        return self.kind == "float"

    @property
    def is_integer(self) -> bool:
        """True of signed and unsigned integers; bool is not one."""
        return self.kind in ("int", "uint")

    @property
    def exponent_bias(self) -> int:
        return 1 - self.min_exponent

    @property
    def smallest_step(self) -> float:
        """Distance between neighbours at zero: the smallest positive value of the type."""
        if self.is_scale:
            return 2.0**self.min_exponent
        return 2.0 ** (self.min_exponent - self.mantissa_bits) if self.is_float else 1.0

    @cached_property
    def storage(self) -> np.dtype:
        """The numpy dtype of one stored value. Raises MissingStorageError for bf16/fp8 without ml_dtypes."""
        import numpy as np

        module, _, attribute = self.storage_name.rpartition(".")
        if not module:
            return np.dtype(attribute)
        try:
            import ml_dtypes
        except ImportError as error:
            raise MissingStorageError(
                f"numpy stores {self.name} through the package ml_dtypes, which is not installed; "
                "`pip install hetc[run]` brings it"
            ) from error
        return np.dtype(getattr(ml_dtypes, attribute))

    @property
    def bits_storage(self) -> np.dtype:
        """The unsigned numpy integer as wide as one stored value; needs no ml_dtypes."""
        import numpy as np

        return np.dtype(f"uint{self.storage_bits}")

    def __str__(self) -> str:
        return self.name


def _ieee(name: str, bits: int, mantissa_bits: int, storage: str, torch_name: str) -> DType:
    """A binary format with infinities, its exponent field what the sign and the fraction leave."""
    max_exponent = 2 ** (bits - mantissa_bits - 2) - 1
    largest = (2.0 - 2.0**-mantissa_bits) * 2.0**max_exponent
    saturates = bits == 8  # conversions to 8-bit floats saturate, as the hardware's do
    return DType(
        name, bits, "float", storage, bits, torch_name, -largest, largest,
        mantissa_bits, 1 - max_exponent, saturates,
    )  # fmt: skip


def _integer(name: str, bits: int, signed: bool) -> DType:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    storage_bits = max(bits, 8)
    storage = f"{'int' if signed else 'uint'}{storage_bits}"
    kind: Kind = "int" if signed else "uint"
    return DType(name, bits, kind, storage, storage_bits, storage, float(low), float(high))


F32 = _ieee("f32", 32, 23, "float32", "float32")
F16 = _ieee("f16", 16, 10, "float16", "float16")
BF16 = _ieee("bf16", 16, 7, "ml_dtypes.bfloat16", "bfloat16")
# e4m3fn spends its top exponent on numbers: 1.75 * 2^8, with one NaN a sign and no infinity.
FP8 = DType(
    "fp8", 8, "float", "ml_dtypes.float8_e4m3fn", 8, "float8_e4m3fn", -448.0, 448.0,
    mantissa_bits=3, min_exponent=-6,
)  # fmt: skip
FP8E5M2 = _ieee("fp8e5m2", 8, 2, "ml_dtypes.float8_e5m2", "float8_e5m2")
# OCP's e2m1: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives.
FP4 = DType(
    "fp4", 4, "float", "ml_dtypes.float4_e2m1fn", 8, "uint8", -6.0, 6.0,
    mantissa_bits=1, min_exponent=0, has_nan=False,
)  # fmt: skip
# OCP's scales: 2^-127 to 2^127, and one NaN.
E8M0 = DType(
    "e8m0", 8, "float", "ml_dtypes.float8_e8m0fnu", 8, "uint8", 2.0**-127, 2.0**127,
    mantissa_bits=0, min_exponent=-127, is_scale=True,
)  # fmt: skip
I8 = _integer("i8", 8, signed=True)
U8 = _integer("u8", 8, signed=False)
I4 = _integer("i4", 4, signed=True)
U4 = _integer("u4", 4, signed=False)
I2 = _integer("i2", 2, signed=True)
U2 = _integer("u2", 2, signed=False)
I16 = _integer("i16", 16, signed=True)
I32 = _integer("i32", 32, signed=True)
I64 = _integer("i64", 64, signed=True)
BOOL = DType("bool", 1, "bool", "bool", 8, "bool", 0.0, 1.0)

DTYPES: dict[str, DType] = {
    dtype.name: dtype
    for dtype in (F32, F16, BF16, FP8, FP8E5M2, FP4, E8M0, I8, U8, I4, U4, I2, U2, I16, I32, I64, BOOL)
}


def dtype_of(dtype: DType | str) -> DType:
    """The table's entry for a name; a DType passes through. Raises UnknownDTypeError."""
    if isinstance(dtype, DType):
        return dtype
    try:
        return DTYPES[dtype]
    except KeyError:
        raise UnknownDTypeError(dtype) from None
