"""Packed bytes against ml_dtypes' one value a byte, put together by hand."""

import ml_dtypes
import numpy as np
import pytest

from hetc.numerics import DTYPES
from hetc.numerics.packing import pack, packed_extent, unpack
from hetc.numerics.rounding import round_to

PACKED = [name for name, spec in DTYPES.items() if spec.per_byte > 1]


def bytes_by_hand(values: np.ndarray, dtype: str) -> np.ndarray:
    """One row's bytes, from numpy's own one-value-a-byte dtype."""
    spec = DTYPES[dtype]
    theirs = {"fp4": "float4_e2m1fn", "i4": "int4", "u4": "uint4", "i2": "int2", "u2": "uint2"}[dtype]
    codes = values.astype(getattr(ml_dtypes, theirs)).view(np.uint8).tolist()
    rows = []
    for first in range(0, len(codes), spec.per_byte):
        byte = 0
        for place, code in enumerate(codes[first : first + spec.per_byte]):
            byte += (code % 2**spec.bits) * 2 ** (spec.bits * place)
        rows.append(byte)
    return np.array(rows, np.uint8)


@pytest.mark.parametrize("dtype", PACKED)
@pytest.mark.parametrize("count", [1, 2, 3, 8, 13])
def test_rows_are_packed_low_bits_first(dtype, count):
    rng = np.random.default_rng(count)
    values = round_to(rng.uniform(-9, 20, (5, count)), dtype)
    packed = pack(values, dtype)
    assert packed.dtype == np.uint8 and packed.shape == (5, packed_extent(count, dtype))
    np.testing.assert_array_equal(packed, [bytes_by_hand(row, dtype) for row in values])
    np.testing.assert_array_equal(unpack(packed, dtype, count), values)


def test_an_example_as_it_is_documented():
    assert pack([1, 2, -1], "i4").tolist() == [0x21, 0x0F]
    assert pack([0.5, -6.0], "fp4").tolist() == [0xF1]
    assert pack([1, 2, 3, 0, 3], "u2").tolist() == [0b00111001, 0b11]
    assert pack(2.0, "e8m0").tolist() == 128 and pack(-1, "i4").tolist() == 15


def test_a_single_value_takes_a_byte():
    assert unpack(pack(-3, "i4"), "i4").tolist() == -3
    assert pack([1.0, 0.5], "e8m0").tolist() == [127, 126]


@pytest.mark.parametrize("dtype", PACKED)
def test_the_byte_of_a_single_value_is_an_array(dtype):
    assert isinstance(pack(np.array(1), dtype), np.ndarray)


def test_of_nothing_there_is_nothing():
    assert pack(np.zeros((0, 5)), "i4").shape == (0, 3) and unpack(np.zeros((0, 3), np.uint8), "i4", 5).shape == (0, 5)


def test_what_takes_whole_bytes_is_refused():
    with pytest.raises(ValueError, match="nothing to pack"):
        pack([1.0], "bf16")
    with pytest.raises(ValueError, match="uint8"):
        unpack(np.zeros(3, np.int8), "i4")
