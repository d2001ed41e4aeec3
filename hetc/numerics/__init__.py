"""The language's number types: their table, exact rounding, quantisation and tolerances.

dtypes        the table: widths, ranges, storage in numpy and torch
rounding      round_to, ulp; encode and decode to storage; to_bits and from_bits
quantization  pow2_scale, f32_scale, quantize
tolerance     how near a result must lie to the oracle, by type
"""

from hetc.numerics.dtypes import (
    BF16,
    BOOL,
    DTYPES,
    F16,
    F32,
    FP8,
    FP8E5M2,
    I4,
    I8,
    I16,
    I32,
    I64,
    U8,
    DType,
    MissingStorageError,
    UnknownDTypeError,
    dtype_of,
)
from hetc.numerics.quantization import f32_scale, pow2_scale, quantize
from hetc.numerics.rounding import decode, encode, from_bits, round_to, to_bits, ulp
from hetc.numerics.tolerance import Tolerance, tolerance, within

__all__ = [
    "BF16",
    "BOOL",
    "DTYPES",
    "F16",
    "F32",
    "FP8",
    "FP8E5M2",
    "I4",
    "I8",
    "I16",
    "I32",
    "I64",
    "U8",
    "DType",
    "MissingStorageError",
    "Tolerance",
    "UnknownDTypeError",
    "decode",
    "dtype_of",
    "encode",
    "f32_scale",
    "from_bits",
    "pow2_scale",
    "quantize",
    "round_to",
    "to_bits",
    "tolerance",
    "ulp",
    "within",
]
