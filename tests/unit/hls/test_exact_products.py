"""Sums of products of fp8 and of narrow integers: exact, rounded once, in integer arithmetic."""

import ml_dtypes
import numpy as np
import pytest

from hetc.dialects import fpga

SCORES = """
pipeline {name}:
    dim B <= 2
    dim T <= 4096 per B
    dim H = {heads}; dim D = {width}
    input q: {query}[B, H, D]
    input keys: {key}[B, T, D]
    relevancy:
        s[b, h, t] = sum[d](q[b, h, d] * keys[b, t, d])
        w[b, h, t] = keys[b, t, 0] * 2 + s[b, h, t]
    output s, w
"""
CODES = np.arange(256, dtype=np.uint8).view(ml_dtypes.float8_e4m3fn)


def scores(name: str, query: str, key: str, width: int, heads: int = 2) -> str:
    return SCORES.format(name=name, query=query, key=key, width=width, heads=heads)


@pytest.fixture(scope="module")
def bench(bench_of_sources):
    cases = [
        scores("pairs", "fp8", "fp8", 2, heads=256),
        scores("rows", "fp8", "fp8", 128),
        scores("bytes", "i8", "u8", 64),
        scores("shorts", "i16", "i16", 32),
        scores("mixed", "fp8", "i8", 64),
    ]
    return bench_of_sources(cases, {"lanes": 128})


def products_of(bench, name: str) -> int:
    return sum(isinstance(op, fpga.ProductOp) for op in bench.kernel(f"{name}_kernel").walk())


def exactly(query: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Every sum of these fits a double, so that only the last step rounds."""
    wide = np.einsum("bhd,btd->bht", query.astype(np.float64), keys.astype(np.float64))
    return wide.astype(np.float32)


def test_every_pair_of_codes(bench):
    """Head h has code h, row t has code t: all 65,536 products, NaN codes and subnormals among them."""
    assert products_of(bench, "pairs") >= 1
    query = np.zeros((1, 256, 2), ml_dtypes.float8_e4m3fn)
    keys = np.zeros((1, 256, 2), ml_dtypes.float8_e4m3fn)
    query[0, :, 0], keys[0, :, 0] = CODES, CODES
    got, _ = bench.run("pairs_kernel", [query, keys], {"B": 1, "T": np.array([256])})
    np.testing.assert_array_equal(got, exactly(query, keys))
    assert np.isnan(got).sum() == 2 * 2 * 256 - 4


@pytest.mark.parametrize("seed", range(3))
def test_rows_of_fp8_are_rounded_once(bench, seed):
    random = np.random.default_rng(seed)
    codes = np.delete(np.arange(256), [0x7F, 0xFF]).astype(np.uint8)
    query, keys = (random.choice(codes, shape).view(ml_dtypes.float8_e4m3fn) for shape in ((2, 2, 128), (2, 40, 128)))
    keys[0, 3, 5] = np.nan
    results = bench.check("rows_kernel", [query, keys], {"B": 2, "T": np.array([40, 7])})
    wanted = exactly(query, keys)
    np.testing.assert_array_equal(results[0][0], wanted[0])
    np.testing.assert_array_equal(results[0][1, :, :7], wanted[1, :, :7])
    assert np.isnan(wanted[0, :, 3]).all()


@pytest.mark.parametrize("name, query, key, width", [("bytes", "i1", "u1", 64), ("shorts", "i2", "i2", 32)])
def test_narrow_integers(bench, name, query, key, width):
    """Extremes too: the sum of many 16-bit products wraps at 32 bits."""
    assert products_of(bench, name) >= 1
    random = np.random.default_rng(1)

    def drawn(kind, shape):
        limits = np.iinfo(np.dtype(kind))
        made = random.integers(limits.min, limits.max + 1, shape).astype(kind)
        made[0, 0] = limits.min
        return made

    given = [drawn(query, (2, 2, width)), drawn(key, (2, 20, width))]
    bench.check(f"{name}_kernel", given, {"B": 2, "T": np.array([20, 9])}, exact=True)


def test_a_product_with_another_type_is_a_float_one(bench):
    assert products_of(bench, "mixed") == 0
