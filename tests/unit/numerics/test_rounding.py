"""Rounding against ml_dtypes, numpy and torch, which did not write it, and at the corners by hand."""

import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest
import torch

from hetc.numerics import DTYPES, UnknownDTypeError, dtype_of
from hetc.numerics.rounding import decode, encode, from_bits, round_to, to_bits, ulp

FLOATS = ["f32", "f16", "bf16", "fp8", "fp8e5m2", "fp4"]
NARROW = ["f16", "bf16", "fp8", "fp8e5m2", "fp4"]
IN_TORCH = ["f16", "bf16", "fp8", "fp8e5m2"]
INTEGERS = ["i8", "u8", "i4", "u4", "i2", "u2", "i16", "i32", "i64"]


def samples(dtype: str) -> np.ndarray:
    """f32 values over the type's range and past it, with ties, subnormals and both zeros."""
    rng = np.random.default_rng(7)
    spec = DTYPES[dtype]
    scale = 2.0 ** rng.uniform(spec.min_exponent - spec.mantissa_bits - 3, spec.min_exponent + 12, 4000)
    wide = rng.standard_normal(4000) * min(spec.max_finite, 1e38)
    step = spec.smallest_step
    ties = (np.arange(-40, 40) + 0.5) * step
    edge = np.array([0.0, -0.0, spec.max_finite, -spec.max_finite, step, -step, step / 2, step * 0.75])
    with np.errstate(over="ignore"):
        return np.concatenate([rng.standard_normal(4000) * scale, wide, ties, edge]).astype(np.float32)


@pytest.mark.parametrize("dtype", NARROW)
def test_round_to_agrees_with_ml_dtypes_inside_the_range(dtype):
    spec = DTYPES[dtype]
    x = samples(dtype)
    with np.errstate(over="ignore"):
        theirs = x.astype(spec.storage).astype(np.float64)
    ours = round_to(x, dtype)
    inside = np.abs(ours) < spec.max_finite
    np.testing.assert_array_equal(ours[inside], theirs[inside])
    assert inside.sum() > 4000
    assert np.array_equal(np.signbit(ours[inside]), np.signbit(theirs[inside]))


@pytest.mark.parametrize("dtype", NARROW)
def test_every_bit_pattern_decodes_and_encodes_back(dtype):
    spec = DTYPES[dtype]
    codes = np.arange(2**spec.bits).astype(spec.bits_storage)
    values = from_bits(codes, dtype)
    with np.errstate(invalid="ignore"):  # signalling NaN patterns
        theirs = codes.view(spec.storage).astype(np.float64)
    np.testing.assert_array_equal(values, theirs)
    ordinary = np.isfinite(values)
    np.testing.assert_array_equal(to_bits(values[ordinary], dtype), codes[ordinary])
    np.testing.assert_array_equal(decode(encode(values[ordinary], dtype), dtype), values[ordinary])
    read_back = from_bits(to_bits(np.nan, dtype).reshape(1), dtype)
    np.testing.assert_array_equal(read_back, [np.nan if spec.has_nan else 0.0])


@pytest.mark.parametrize("dtype", NARROW)
def test_every_tie_goes_to_the_even_code_and_no_other_value_does(dtype):
    spec = DTYPES[dtype]
    codes = np.arange(2 ** (spec.bits - 1))
    values = from_bits(codes.astype(spec.bits_storage), dtype)
    codes, values = codes[np.isfinite(values)], values[np.isfinite(values)]
    assert (np.diff(values) > 0).all() and values[-1] == spec.max_finite
    ties = (values[1:] + values[:-1]) / 2  # exact in float64
    even = np.where(codes[1:] % 2 == 0, codes[1:], codes[:-1])
    for sign, sign_bit in ((1.0, 0), (-1.0, 1 << (spec.bits - 1))):
        np.testing.assert_array_equal(to_bits(sign * ties, dtype), even | sign_bit)
        np.testing.assert_array_equal(to_bits(sign * np.nextafter(ties, 0.0), dtype), codes[:-1] | sign_bit)
        np.testing.assert_array_equal(to_bits(sign * np.nextafter(ties, np.inf), dtype), codes[1:] | sign_bit)


@pytest.mark.parametrize("dtype", NARROW)
def test_the_end_of_the_range_is_where_the_next_value_would_round_to(dtype):
    spec = DTYPES[dtype]
    past = spec.max_finite + float(ulp(spec.max_finite, dtype)) / 2  # the tie with a value that the type lacks
    beyond = spec.max_finite if spec.saturates else np.inf
    x = np.array([np.nextafter(past, 0.0), past, 1e300, np.inf])
    np.testing.assert_array_equal(round_to(x, dtype), [spec.max_finite, beyond, beyond, beyond])
    np.testing.assert_array_equal(round_to(-x, dtype), [-spec.max_finite, -beyond, -beyond, -beyond])


@pytest.mark.parametrize("dtype", IN_TORCH)
def test_torch_rounds_and_reads_the_same(dtype):
    spec, twin = DTYPES[dtype], getattr(torch, DTYPES[dtype].torch_name)
    codes = np.arange(2**spec.bits).astype(spec.bits_storage)
    signed = torch.from_numpy(codes.view(f"int{spec.bits}"))
    np.testing.assert_array_equal(from_bits(codes, dtype), signed.view(twin).double().numpy())
    finite = np.unique(from_bits(codes, dtype)[np.isfinite(from_bits(codes, dtype))])
    x = np.concatenate([finite, (finite[1:] + finite[:-1]) / 2]).astype(np.float32)  # each is an f32
    for around in (x, np.nextafter(x, np.float32(0)), np.nextafter(x, np.copysign(np.float32(np.inf), x))):
        inside = around[np.abs(around) <= spec.max_finite]
        np.testing.assert_array_equal(round_to(inside, dtype), torch.from_numpy(inside).to(twin).double().numpy())


@pytest.mark.parametrize("dtype", IN_TORCH)
def test_every_nan_is_read_as_one_and_written_as_the_same(dtype):
    spec = DTYPES[dtype]
    codes = np.arange(2**spec.bits).astype(spec.bits_storage)
    payloads = codes[np.isnan(from_bits(codes, dtype))]
    assert len(payloads) == {"f16": 2046, "bf16": 254, "fp8": 2, "fp8e5m2": 6}[dtype]
    bits = np.array([0x7FF8000000000000, 0x7FF0000000000001, 0xFFFFFFFFFFFFFFFF], np.uint64)
    written = to_bits(bits.view(np.float64), dtype)
    assert len(set(written.tolist())) == 1 and written[0] in payloads


def test_double_rounding_does_not_happen():
    # Between two bf16 values, just above the tie: rounding to f32 first would land on the tie and go down.
    x = 1.0 + 2.0**-8 + 2.0**-40
    assert round_to(x, "bf16") == 1.0 + 2.0**-7
    assert float(np.float32(x)) == 1.0 + 2.0**-8


@pytest.mark.parametrize(
    ("dtype", "x", "expected"),
    [
        ("f16", 65519.9, 65504.0),
        ("f16", 65520.0, np.inf),
        ("bf16", 3.4e38, np.inf),
        ("bf16", -np.inf, -np.inf),
        ("f32", 1e39, np.inf),
        ("fp8", 465.0, 448.0),
        ("fp8", -1e30, -448.0),
        ("fp8", np.inf, 448.0),
        ("fp8", np.nan, np.nan),
        ("fp8", 2.0**-10, 0.0),  # a tie between 0 and the smallest value goes to even
        ("fp8", 1.97, 2.0),
        ("fp8e5m2", 1e6, 57344.0),
        ("fp8e5m2", -np.inf, -57344.0),
        ("fp4", 5.0, 4.0),
        ("fp4", 7.0, 6.0),
        ("fp4", -np.inf, -6.0),
        ("fp4", np.nan, 0.0),
        ("e8m0", 1.5, 2.0),
        ("e8m0", 1.49, 1.0),
        ("e8m0", 3.0, 4.0),  # a tie goes up, whichever code is even
        ("e8m0", 0.0, 2.0**-127),
        ("e8m0", -5.0, 2.0**-127),
        ("e8m0", 1e39, 2.0**127),
        ("e8m0", np.inf, np.nan),
        ("e8m0", np.nan, np.nan),
        ("u4", 20.0, 15.0),
        ("u4", -1.0, 0.0),
        ("i2", 5.0, 1.0),
        ("i2", -9.0, -2.0),
        ("u2", 9.0, 3.0),
        ("i8", 2.5, 2.0),
        ("i8", -3.5, -4.0),
        ("i8", 200.0, 127.0),
        ("i8", -np.inf, -128.0),
        ("i8", np.nan, 0.0),
        ("u8", -1.0, 0.0),
        ("u8", 1e9, 255.0),
        ("i4", 9.0, 7.0),
        ("i4", -9.0, -8.0),
        ("bool", -0.25, 1.0),
    ],
)
def test_corners(dtype, x, expected):
    np.testing.assert_array_equal(round_to(x, dtype), expected)


def test_rounding_to_zero_is_for_integers():
    np.testing.assert_array_equal(round_to([2.9, -2.9, 1e9], "i8", rounding="zero"), [2, -2, 127])
    with pytest.raises(ValueError, match="nearest"):
        round_to(1.0, "bf16", rounding="zero")


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_saturate_at_both_ends_in_storage(dtype):
    spec = DTYPES[dtype]
    low, high = int(spec.min_finite), 2 ** (spec.bits - (spec.kind == "int")) - 1
    for x in (np.array([-1e30, 1e30, np.nan, -0.4]), np.array([-(2**63), 2**63 - 1, 0, 0])):
        stored = encode(x, dtype)
        assert stored.dtype == spec.storage
        assert [int(v) for v in stored] == [low, high, 0, 0]


def test_i64_integers_are_encoded_exactly():
    x = np.array([2**62 + 1, -(2**62) - 1])
    np.testing.assert_array_equal(encode(x, "i64"), x)


@pytest.mark.parametrize("dtype", FLOATS)
def test_ulp_is_the_distance_to_the_next_value(dtype):
    spec = DTYPES[dtype]
    x = round_to(np.abs(samples(dtype)), dtype)
    x = x[x < spec.max_finite / 2]
    code = encode(x, dtype).view(spec.bits_storage)
    above = (code + np.ones(1, spec.bits_storage)).view(spec.storage).astype(np.float64)
    np.testing.assert_array_equal(ulp(x, dtype), above - x)
    assert ulp(1e300, dtype) == ulp(spec.max_finite, dtype)


def test_ulp_of_integers_is_one():
    np.testing.assert_array_equal(ulp([0.0, 100.0], "i8"), [1.0, 1.0])


@pytest.mark.parametrize("dtype", sorted(DTYPES))
def test_the_table_agrees_with_numpy_and_torch(dtype):
    spec = DTYPES[dtype]
    twin = getattr(torch, spec.torch_name)
    assert spec.storage.itemsize * 8 == spec.storage_bits == twin.itemsize * 8
    if spec.is_float:
        limits = ml_dtypes.finfo(spec.storage)
        assert (float(limits.max), float(limits.smallest_normal)) == (spec.max_finite, 2.0**spec.min_exponent)
        assert spec.is_coded or torch.finfo(twin).max == spec.max_finite
    elif spec.is_integer and not spec.is_coded:
        assert float(np.iinfo(spec.storage).max) == spec.max_finite
        assert float(torch.iinfo(twin).min) == spec.min_finite


def test_scales_agree_with_ml_dtypes():
    """Normal numbers of f32 up to the last power: what becomes of others is ours to say (see `test_corners`)."""
    x = np.abs(samples("e8m0"))
    x = x[(x >= 2.0**-126) & (x < 2.0**127)]
    with np.errstate(over="ignore"):
        theirs = x.astype(ml_dtypes.float8_e8m0fnu).view(np.uint8)
    np.testing.assert_array_equal(to_bits(x, "e8m0"), theirs)
    codes = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(from_bits(codes, "e8m0"), codes.view(ml_dtypes.float8_e8m0fnu).astype(np.float64))


def test_a_wrong_name_lists_the_right_ones():
    with pytest.raises(UnknownDTypeError, match="`float32`; expected one of f32, f16"):
        dtype_of("float32")


def test_decode_refuses_another_storage():
    with pytest.raises(TypeError, match="bfloat16, got uint16"):
        decode(np.zeros(2, np.uint16), "bf16")


def test_imports_without_the_optional_packages():
    script = (
        "import sys\n"
        "for name in ('torch', 'triton', 'ml_dtypes'): sys.modules[name] = None\n"
        "import hetc.numerics as n\n"
        "assert n.DTYPES['fp8'].max_finite == 448 and 'numpy' not in sys.modules\n"
        "from hetc.numerics import rounding\n"
        "assert rounding.to_bits([1.0, -2.0], 'bf16').tolist() == [0x3F80, 0xC000]\n"
        "try: rounding.encode([1.0], 'bf16')\n"
        "except n.MissingStorageError as error: assert 'ml_dtypes' in str(error)\n"
        "else: raise SystemExit('no error')\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
