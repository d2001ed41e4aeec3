"""Reductions, scans and sorts of the corrected interpreter against torch, over each axis."""

import pytest
import torch

from hetc.runtime.triton_interpreter import install

install()

import triton  # noqa: E402
import triton.language as tl  # noqa: E402

TYPES = {
    "f32": torch.float32,
    "f16": torch.float16,
    "bf16": torch.bfloat16,
    "i8": torch.int8,
    "i32": torch.int32,
    "i64": torch.int64,
}
SHAPE = (4, 8, 16)


def values(name: str, seed: int = 0) -> torch.Tensor:
    """Small integers as `name`: exact in all the types, with equal entries."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-6, 7, SHAPE, generator=generator).to(TYPES[name])


@triton.jit
def first_of_pair(a, b):
    return a + 0 * b


@triton.jit
def compose(scale_a, shift_a, scale_b, shift_b):
    """x -> scale x + shift, b after a: associative, not commutative."""
    return scale_a * scale_b, shift_a * scale_b + shift_b


@triton.jit
def reduce_kernel(
    source, out, OP: tl.constexpr, AXIS: tl.constexpr, KEEP: tl.constexpr, A: tl.constexpr, B: tl.constexpr,
    C: tl.constexpr, COUNT: tl.constexpr,
):  # fmt: skip
    cell = (tl.arange(0, A)[:, None, None] * B + tl.arange(0, B)[None, :, None]) * C + tl.arange(0, C)[None, None, :]
    x = tl.load(source + cell)
    if OP == "sum":
        r = tl.sum(x, axis=AXIS, keep_dims=KEEP)
    elif OP == "max":
        r = tl.max(x, axis=AXIS, keep_dims=KEEP)
    elif OP == "min":
        r = tl.min(x, axis=AXIS, keep_dims=KEEP)
    elif OP == "argmax":
        r = tl.argmax(x, axis=AXIS, keep_dims=KEEP)
    elif OP == "argmin":
        r = tl.argmin(x, axis=AXIS, keep_dims=KEEP)
    elif OP == "first":
        r = tl.reduce(x, AXIS, first_of_pair, keep_dims=KEEP)
    elif OP == "xor":
        r = tl.xor_sum(x, axis=AXIS, keep_dims=KEEP)
    tl.store(out + tl.arange(0, COUNT), tl.reshape(r, [COUNT]).to(out.dtype.element_ty))


def lowest_index(x: torch.Tensor, best: torch.Tensor, axis: int) -> torch.Tensor:
    position = torch.arange(x.shape[axis]).reshape([-1 if d == axis else 1 for d in range(3)])
    return torch.where(x == best, position, 99).amin(axis)


EXPECTED = {
    "sum": lambda x, axis: x.sum(axis),
    "max": lambda x, axis: x.amax(axis),
    "min": lambda x, axis: x.amin(axis),
    "argmax": lambda x, axis: lowest_index(x, x.amax(axis, keepdim=True), axis),
    "argmin": lambda x, axis: lowest_index(x, x.amin(axis, keepdim=True), axis),
    "first": lambda x, axis: x.select(axis, 0),
}


def reduced(x: torch.Tensor, operation: str, axis: int, keep: bool = False) -> torch.Tensor:
    count = x.numel() // x.shape[axis]
    out = torch.empty(count, dtype=torch.float64)
    reduce_kernel[(1,)](x, out, OP=operation, AXIS=axis, KEEP=keep, A=4, B=8, C=16, COUNT=count)
    return out


@pytest.mark.parametrize("operation", EXPECTED)
@pytest.mark.parametrize("name", TYPES)
def test_each_axis(name, operation):
    x = values(name)
    for axis in range(3):
        want = EXPECTED[operation](x.double(), axis).double().reshape(-1)
        assert torch.equal(reduced(x, operation, axis), want)
        assert torch.equal(reduced(x, operation, axis, keep=True), want)


def test_bf16_sums_round_once():
    x = torch.randn(SHAPE).bfloat16()
    assert torch.equal(reduced(x, "sum", 2), x.float().sum(2).bfloat16().double().reshape(-1))


def test_xor_over_an_axis():
    x = values("i32")
    want = x[:, 0]
    for i in range(1, 8):
        want = want ^ x[:, i]
    assert torch.equal(reduced(x, "xor", 1), want.double().reshape(-1))


def test_nan_loses_and_infinities_win():
    x = torch.zeros(SHAPE)
    x[0, 0, :] = torch.nan
    x[0, 0, 3] = -2.0
    x[1, 0, 5] = -torch.inf
    low = reduced(x, "min", 2).reshape(4, 8)
    assert (low[0, 0], low[1, 0], low[2, 0]) == (-2.0, -torch.inf, 0.0)
    assert reduced(x, "argmax", 2).reshape(4, 8)[0, 0] == 3


@triton.jit
def whole_kernel(source, out, N: tl.constexpr):
    x = tl.load(source + tl.arange(0, N))
    tl.store(out, tl.sum(x))
    tl.store(out + 1, tl.max(x))
    tl.store(out + 2, tl.sum(tl.reshape(x, [2, N // 2])))


def test_to_a_scalar():
    x, out = torch.arange(32).float(), torch.empty(3)
    whole_kernel[(1,)](x, out, N=32)
    assert out.tolist() == [496.0, 31.0, 496.0]


@triton.jit
def compose_kernel(scale, shift, out, SCAN: tl.constexpr, REVERSE: tl.constexpr, N: tl.constexpr):
    lane = tl.arange(0, N)
    pair = (tl.load(scale + lane), tl.load(shift + lane))
    if SCAN:
        total = tl.associative_scan(pair, 0, compose, reverse=REVERSE)
        tl.store(out + lane, total[1])
    else:
        total = tl.reduce(pair, 0, compose)
        tl.store(out, total[1])


@pytest.mark.parametrize("reverse", [False, True])
def test_a_combine_function_that_does_not_commute(reverse):
    generator = torch.Generator().manual_seed(1)
    scale = torch.randint(-1, 3, (16,), generator=generator).float()
    shift = torch.randint(-4, 5, (16,), generator=generator).float()
    want, x = [], torch.tensor(0.0)
    for i in reversed(range(16)) if reverse else range(16):
        x = x * scale[i] + shift[i]
        want.append(x.item())
    out = torch.empty(16)
    compose_kernel[(1,)](scale, shift, out, SCAN=True, REVERSE=reverse, N=16)
    assert out.tolist() == (want[::-1] if reverse else want)
    if not reverse:
        compose_kernel[(1,)](scale, shift, out, SCAN=False, REVERSE=False, N=16)
        assert out[0] == want[-1]


@triton.jit
def scan_kernel(source, out, AXIS: tl.constexpr, M: tl.constexpr, N: tl.constexpr):
    cell = tl.arange(0, M)[:, None] * N + tl.arange(0, N)[None, :]
    tl.store(out + cell, tl.cumsum(tl.load(source + cell), axis=AXIS).to(out.dtype.element_ty))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("name", ["f32", "bf16", "i32"])
def test_cumulative_sums(name, axis):
    x = values(name)[0]
    out = torch.empty(8, 16, dtype=torch.float64)
    scan_kernel[(1,)](x, out, AXIS=axis, M=8, N=16)
    assert torch.equal(out, x.double().cumsum(axis))


@triton.jit
def sort_kernel(source, ascending, descending, best, K: tl.constexpr, M: tl.constexpr, N: tl.constexpr):
    row = tl.arange(0, M)[:, None]
    cell = row * N + tl.arange(0, N)[None, :]
    x = tl.load(source + cell)
    tl.store(ascending + cell, tl.sort(x))
    tl.store(descending + cell, tl.sort(x, descending=True))
    tl.store(best + row * K + tl.arange(0, K)[None, :], tl.topk(x, K))


@pytest.mark.parametrize("name", ["f32", "bf16", "i32", "i64"])
def test_sort_and_topk(name):
    x = torch.randn(4, 64).bfloat16() if name == "bf16" else torch.randint(-(2**30), 2**30, (4, 64)).to(TYPES[name])
    if name == "i64":
        x = x << 32 | torch.arange(64)
    up, down, best = torch.empty_like(x), torch.empty_like(x), torch.empty(4, 8, dtype=x.dtype)
    sort_kernel[(1,)](x, up, down, best, K=8, M=4, N=64)
    want = x.sort(-1).values
    assert torch.equal(up, want)
    assert torch.equal(down, want.flip(-1))
    assert torch.equal(best, want.flip(-1)[:, :8])
