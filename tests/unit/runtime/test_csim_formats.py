"""Narrow floats, sortable keys and lanes in C simulation against ml_dtypes and numpy, bit for bit."""

import re
from collections.abc import Iterator
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from hetc.runtime.csim import CsimKernel, build, build_many

KERNELS = Path(__file__).parent / "csim_kernels"
FORMATS_TEXT = (KERNELS / "formats.cpp").read_text()
TOPS = re.findall(r'^extern "C" void (\w+)', FORMATS_TEXT, re.MULTILINE)
# Number in formats.cpp, numpy type, bits, largest finite value where conversion saturates.
FORMATS = {
    "bf16": (0, ml_dtypes.bfloat16, 16, None),
    "f16": (1, np.float16, 16, None),
    "fp8": (2, ml_dtypes.float8_e4m3fn, 8, 448.0),
    "fp8e5m2": (3, ml_dtypes.float8_e5m2, 8, 57344.0),
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HETC_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def fast(cache: None) -> dict[str, CsimKernel]:
    return build_many({"formats.cpp": FORMATS_TEXT}, TOPS)


@pytest.fixture(scope="module")
def slow(cache: None) -> dict[str, CsimKernel]:
    # -O0: .range() is slow whatever the level, and this halves the compile.
    files = {"formats.cpp": FORMATS_TEXT}
    return build_many(files, ["lanes_of", "uses_byte_lanes"], defines=["HETC_SLOW_LANES"], build_type="plain")


def all_values(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Every code of a format, and the floats that ml_dtypes reads from them."""
    _, dtype, bits, _ = FORMATS[name]
    codes = np.arange(2**bits, dtype=np.uint16 if bits == 16 else np.uint8)
    with np.errstate(invalid="ignore"):
        return codes.astype(np.uint16), codes.view(dtype).astype(np.float32)


@pytest.mark.parametrize("name", FORMATS)
def test_every_code_is_decoded_exactly(fast: dict[str, CsimKernel], name: str) -> None:
    codes, expected = all_values(name)
    host, synthesised = np.zeros_like(expected), np.zeros_like(expected)
    fast["decode_codes"].run(FORMATS[name][0], codes, host, synthesised, len(codes))
    number = ~np.isnan(expected)
    for got in (host, synthesised):
        np.testing.assert_array_equal(got[number].view(np.uint32), expected[number].view(np.uint32))
        np.testing.assert_array_equal(np.isnan(got), ~number)
        np.testing.assert_array_equal(np.signbit(got), np.signbit(expected))


def difficult_floats(name: str) -> np.ndarray:
    """Each value of the format, the ties between neighbours, their neighbours, and random bit patterns."""
    _, values = all_values(name)
    finite = np.unique(values[np.isfinite(values)]).astype(np.float64)
    ties = ((finite[1:] + finite[:-1]) / 2).astype(np.float32)
    top = finite[-1] + (finite[-1] - finite[-2]) / 2  # first value past the range
    around = np.concatenate([finite.astype(np.float32), ties, np.float32([top, -top])])
    patterns = np.random.default_rng(7).integers(0, 2**32, 200_000, dtype=np.uint32).view(np.float32)
    special = np.float32([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 3.4e38, -3.4e38, 1e-38])
    below, above = np.nextafter(around, np.float32(-np.inf)), np.nextafter(around, np.float32(np.inf))
    return np.concatenate([around, below, above, patterns, special])


@pytest.mark.parametrize("name", FORMATS)
def test_rounds_to_nearest_even_and_saturates(fast: dict[str, CsimKernel], name: str) -> None:
    number, dtype, bits, largest = FORMATS[name]
    values = difficult_floats(name)
    codes = np.zeros(len(values), np.uint16)
    fast["encode_floats"].run(number, values, codes, len(values))
    with np.errstate(invalid="ignore", over="ignore"):
        expected = (np.clip(values, -largest, largest) if largest else values).astype(dtype)
        assert np.isnan(codes.astype(f"u{bits // 8}").view(dtype)[np.isnan(values)].astype(np.float32)).all()
    kept = ~np.isnan(values)
    np.testing.assert_array_equal(codes[kept], expected.view(f"u{bits // 8}").astype(np.uint16)[kept])


@pytest.mark.parametrize("name", FORMATS)
def test_decoding_then_encoding_is_the_identity(fast: dict[str, CsimKernel], name: str) -> None:
    codes, values = all_values(name)
    back = np.zeros_like(codes)
    fast["encode_floats"].run(FORMATS[name][0], values, back, len(codes))
    kept = np.isfinite(values)
    np.testing.assert_array_equal(back[kept], codes[kept])


def test_keys_are_ordered_as_the_floats(fast: dict[str, CsimKernel]) -> None:
    values = difficult_floats("f16")
    keys, back = np.zeros(len(values), np.uint32), np.zeros(len(values), np.float32)
    fast["ordered_keys"].run(values, keys, back, len(values))
    number = ~np.isnan(values)
    order = np.argsort(values[number], kind="stable")
    sorted_values, sorted_keys = values[number][order], keys[number][order]
    rises = sorted_values[1:] > sorted_values[:-1]
    np.testing.assert_array_equal(sorted_keys[1:] > sorted_keys[:-1], rises)
    np.testing.assert_array_equal(sorted_keys[1:] == sorted_keys[:-1], ~rises)
    np.testing.assert_array_equal(back[number], values[number])
    assert (keys[~number] == 0).all() and np.isnan(back[~number]).all()
    assert keys[number].min() == 0x007FFFFF  # minus infinity, above every NaN


@pytest.mark.parametrize("bits", [1, 4, 8, 16, 32, 64])
def test_byte_lanes_and_range_lanes_agree(fast: dict[str, CsimKernel], slow: dict[str, CsimKernel], bits: int) -> None:
    words = np.random.default_rng(bits).integers(0, 256, (9, 64), dtype=np.uint8)
    whole_bits = np.unpackbits(words, axis=1, bitorder="little").reshape(9, 512 // bits, bits).astype(np.uint64)
    expected = (whole_bits << np.arange(bits, dtype=np.uint64)).sum(axis=2, dtype=np.uint64)
    flags = []
    for kernels in (fast, slow):
        lanes, rebuilt, flag = np.zeros_like(expected), np.zeros_like(words), np.zeros(1, np.int32)
        kernels["lanes_of"].run(bits, words, lanes, rebuilt, len(words))
        np.testing.assert_array_equal(lanes, expected)
        np.testing.assert_array_equal(rebuilt, words)
        kernels["uses_byte_lanes"].run(flag)
        flags.append(int(flag[0]))
    assert flags == [1, 0]


def test_the_text_that_synthesis_reads_computes_the_same(cache: None) -> None:
    name = "synthesis_view"
    kernel = build({f"{name}.cpp": (KERNELS / f"{name}.cpp").read_text()}, name, build_type="plain")
    rows = np.random.default_rng(1).normal(size=(32, 32)).astype(ml_dtypes.bfloat16)
    out = np.zeros_like(rows)
    report = kernel.run(rows, out, 32)
    np.testing.assert_array_equal(out.astype(np.float32), 2 * rows.astype(np.float32))
    # One process after the other, as plain calls: the FIFO held everything between them.
    assert report.high_water == {"values": 1024}
