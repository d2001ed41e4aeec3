"""The language's number types: their table, exact rounding, quantisation and tolerances.

dtypes        the table: widths, ranges, storage in numpy and torch; its names stand here too
rounding      round_to, ulp; encode and decode to storage; to_bits and from_bits
packing       pack, unpack: the bytes of types that take less than one
quantization  scales of blocks by their kind, quantize
tolerance     how near a result must lie to the oracle, by type

All but the first work on arrays. Who needs them imports them by their names: compiling asks for the table alone, and
numpy takes longer to import than the table.
"""

from hetc.numerics.dtypes import (
    BF16,
    BOOL,
    DTYPES,
    E8M0,
    F16,
    F32,
    FP4,
    FP8,
    FP8E5M2,
    I2,
    I4,
    I8,
    I16,
    I32,
    I64,
    U2,
    U4,
    U8,
    DType,
    MissingStorageError,
    UnknownDTypeError,
    dtype_of,
)

__all__ = [
    "BF16",
    "BOOL",
    "DTYPES",
    "E8M0",
    "F16",
    "F32",
    "FP4",
    "FP8",
    "FP8E5M2",
    "I2",
    "I4",
    "I8",
    "I16",
    "I32",
    "I64",
    "U2",
    "U4",
    "U8",
    "DType",
    "MissingStorageError",
    "UnknownDTypeError",
    "dtype_of",
]
