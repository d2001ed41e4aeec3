"""A small self-test of the corrected interpreter, run by `install`: kernels against hetc's exact rounding."""

from __future__ import annotations

import numpy as np
import torch
import triton
import triton.language as tl

from hetc.numerics.rounding import from_bits, round_to, to_bits


@triton.jit
def _round_trip(source, target, narrow_type: tl.constexpr, N: tl.constexpr):
    lane = tl.arange(0, N)
    narrowed = tl.load(source + lane).to(narrow_type)
    tl.store(target + lane, narrowed.to(tl.float32))


@triton.jit
def _dot_and_sum(a, b, product, total, N: tl.constexpr):
    row = tl.arange(0, N)
    cell = row[:, None] * N + row[None, :]
    left = tl.load(a + cell)
    right = tl.load(b + cell)
    tl.store(product + cell, tl.dot(left, right))
    tl.store(total + row, tl.sum(left.to(tl.float32) * right.to(tl.float32), axis=1))


# Ties both ways, subnormals of each type, both ends of each range and beyond, and the specials.
_SAMPLES = [
    0.0, -0.0, 1.0, 1.97, -1.03125, 1.00390625, 1.01171875, 2.0**-9, 3 * 2.0**-10, 2.0**-17, 448.0, 465.0,
    -1e4, 57344.0, 65519.0, 70000.0, -3e38, 1e-40, 0.1, -0.3, 3.14159, 240.5, 17.0, 19.0,
    float("inf"), float("-inf"), float("nan"), 5e-8, 6e-5, -2.0**-25, 255.0, 1e-3,
]  # fmt: skip
_TYPES = {"bf16": tl.bfloat16, "f16": tl.float16, "fp8": tl.float8e4nv, "fp8e5m2": tl.float8e5}


def _casts() -> list[str]:
    source = torch.tensor(_SAMPLES, dtype=torch.float32)
    failures = []
    for name, triton_type in _TYPES.items():
        target = torch.empty_like(source)
        _round_trip[(1,)](source, target, narrow_type=triton_type, N=len(_SAMPLES))
        expected = round_to(source.numpy(), name)
        if not np.array_equal(target.numpy(), expected.astype(np.float32), equal_nan=True):
            failures.append(f"f32 -> {name} -> f32 does not round to nearest even")
    return failures


def _products() -> list[str]:
    n = 16
    rng = np.random.default_rng(0)
    halves = [to_bits(rng.integers(-8, 9, (n, n)), "bf16") for _ in range(2)]  # sums of these are exact
    a, b = (torch.from_numpy(bits.view(np.int16)).view(torch.bfloat16) for bits in halves)
    product, total = torch.empty(n, n), torch.empty(n)
    _dot_and_sum[(1,)](a, b, product, total, N=n)
    left, right = (from_bits(bits, "bf16") for bits in halves)
    failures = []
    if not np.array_equal(product.numpy(), left @ right):
        failures.append("tl.dot of bf16 is wrong")
    if not np.array_equal(total.numpy(), (left * right).sum(axis=1)):
        failures.append("tl.sum is wrong")
    return failures


def self_test() -> list[str]:
    """What is wrong, one sentence each; empty when all is well. A kernel that cannot run is a failure too."""
    failures = []
    for test in (_casts, _products):
        try:
            failures += test()
        except Exception as error:  # whatever an unknown version raises, the answer is "do not emulate"
            failures.append(f"a test kernel does not run ({type(error).__name__}: {error})")
    return failures
