"""The corrected interpreter against torch, for every element type: casts, arithmetic, dot, loads."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from hetc.numerics.rounding import round_to
from hetc.runtime import triton_interpreter
from hetc.runtime.triton_interpreter import EmulationUnavailable, install

install()

import triton  # noqa: E402
import triton.language as tl  # noqa: E402

FLOATS = {
    "f32": (tl.float32, torch.float32),
    "f16": (tl.float16, torch.float16),
    "bf16": (tl.bfloat16, torch.bfloat16),
    "fp8": (tl.float8e4nv, torch.float8_e4m3fn),
    "fp8e5m2": (tl.float8e5, torch.float8_e5m2),
}
INTEGERS = {"i8": (tl.int8, torch.int8), "i32": (tl.int32, torch.int32), "i64": (tl.int64, torch.int64)}
LARGEST = {"fp8": 448.0, "fp8e5m2": 57344.0}


def samples(count: int, seed: int = 0) -> torch.Tensor:
    """f32 values over all the types' ranges, with ties, subnormals and specials."""
    generator = torch.Generator().manual_seed(seed)
    wide = torch.randn(count, generator=generator) * 2.0 ** torch.randint(-30, 20, (count,), generator=generator)
    special = torch.tensor([0.0, -0.0, torch.inf, -torch.inf, torch.nan, 1e-40, -3e38, 448.0, 464.0, 465.0, 1.97])
    ties = torch.cat([1 + (torch.arange(32) + 0.5) * 2.0**-bits for bits in (2, 3, 7, 10)])
    small = torch.cat([(torch.arange(16) + 0.5) * 2.0**-bits for bits in (9, 16, 24)])
    edge = torch.cat([special, ties, -ties, small])
    return torch.cat([edge, wide])[:count].contiguous()


def as_type(x: torch.Tensor, name: str) -> torch.Tensor:
    """torch's conversion, with the saturation that NVIDIA's instruction adds for fp8."""
    if name in LARGEST:
        x = x.clamp(-LARGEST[name], LARGEST[name])
    return x.to(FLOATS[name][1])


def assert_same(actual: torch.Tensor, expected: torch.Tensor) -> None:
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual.double().numpy(), expected.double().numpy())


@triton.jit
def scalar_load_kernel(source, target, count):
    for place in range(4):
        tl.store(target + place, tl.load(source + place, mask=place < count, other=0))


def test_a_masked_off_scalar_is_its_other():
    target = torch.full((4,), 7, dtype=torch.int32)
    scalar_load_kernel[(1,)](torch.arange(5, 9, dtype=torch.int32), target, 2)
    assert target.tolist() == [5, 6, 0, 0]


@triton.jit
def cast_kernel(source, target, N: tl.constexpr):
    lane = tl.arange(0, N)
    tl.store(target + lane, tl.load(source + lane).to(target.dtype.element_ty))


@triton.jit
def cast_towards_zero_kernel(source, target, N: tl.constexpr):
    lane = tl.arange(0, N)
    tl.store(target + lane, tl.load(source + lane).to(target.dtype.element_ty, fp_downcast_rounding="rtz"))


@pytest.mark.parametrize("name", FLOATS)
def test_f32_to_each_type(name):
    x = samples(2048)
    target = torch.empty(2048, dtype=FLOATS[name][1])
    cast_kernel[(1,)](x, target, N=2048)
    assert_same(target, as_type(x, name))
    assert torch.equal(torch.signbit(target.float())[:2], torch.tensor([False, True]))
    np.testing.assert_array_equal(target.double().numpy(), round_to(x.numpy(), name))


@pytest.mark.parametrize("name", ["f16", "bf16", "fp8", "fp8e5m2"])
def test_every_pattern_to_f32(name):
    torch_type = FLOATS[name][1]
    count = 256 if torch_type.itemsize == 1 else 65536
    bits = np.arange(count).astype(f"uint{torch_type.itemsize * 8}")
    source = torch.from_numpy(bits.view(f"int{torch_type.itemsize * 8}")).view(torch_type)
    target = torch.empty(count)
    cast_kernel[(1,)](source, target, N=count)
    assert_same(target, source.float())


@pytest.mark.parametrize("target_name", FLOATS)
@pytest.mark.parametrize("source_name", FLOATS)
def test_between_float_types(source_name, target_name):
    source = as_type(samples(1024, seed=1), source_name)
    target = torch.empty(1024, dtype=FLOATS[target_name][1])
    cast_kernel[(1,)](source, target, N=1024)
    assert_same(target, as_type(source.float(), target_name))


@pytest.mark.parametrize("name", ["bf16", "f16"])
def test_rounding_towards_zero(name):
    x = samples(1024)[11:]  # past the specials
    x = torch.cat([x, torch.ones(11)])
    target = torch.empty(1024, dtype=FLOATS[name][1])
    cast_towards_zero_kernel[(1,)](x, target, N=1024)
    got, want = target.double(), x.double()
    assert (got.abs() <= want.abs()).all()
    up = torch.nextafter(target, torch.full_like(target, torch.inf).copysign(target))
    assert (up.double().abs() > want.abs()).all()


@pytest.mark.parametrize("integer", INTEGERS)
@pytest.mark.parametrize("name", ["f32", "f16", "bf16"])
def test_between_floats_and_integers(name, integer):
    limit = 100.0 if integer == "i8" else 3e4
    x = torch.cat([torch.tensor([-2.5, 2.5, -0.9, 0.9]), torch.randn(252) * limit / 4]).clamp(-limit, limit)
    source = as_type(x, name)
    target = torch.empty(256, dtype=INTEGERS[integer][1])
    cast_kernel[(1,)](source, target, N=256)
    assert_same(target, source.float().trunc().to(target.dtype))
    back = torch.empty(256, dtype=FLOATS[name][1])
    cast_kernel[(1,)](target, back, N=256)
    assert_same(back, target.float().to(back.dtype))


@pytest.mark.parametrize("integer", ["i32", "i64"])
def test_floats_saturate_into_integers(integer):
    torch_type = INTEGERS[integer][1]
    source = torch.tensor([torch.nan, torch.inf, -torch.inf, 1e30, -1e30, 2.0**62, 7.0, -7.0])
    target = torch.empty(8, dtype=torch_type)
    cast_kernel[(1,)](source, target, N=8)
    info = torch.iinfo(torch_type)
    middle = 2**62 if integer == "i64" else info.max
    assert target.tolist() == [0, info.max, info.min, info.max, info.min, middle, 7, -7]


@triton.jit
def arithmetic_kernel(a, b, out, OP: tl.constexpr, N: tl.constexpr):
    lane = tl.arange(0, N)
    x = tl.load(a + lane)
    y = tl.load(b + lane)
    if OP == "add":
        z = x + y
    elif OP == "sub":
        z = x - y
    elif OP == "mul":
        z = x * y
    elif OP == "div":
        z = x / y
    elif OP == "neg":
        z = -x
    elif OP == "abs":
        z = tl.abs(x)
    elif OP == "maximum":
        z = tl.maximum(x, y)
    elif OP == "minimum":
        z = tl.minimum(x, y)
    elif OP == "fma":
        z = tl.fma(x, y, x)
    elif OP == "where":
        z = tl.where(x > y, x, y)
    else:
        tl.static_assert(False, "unknown operation")
    tl.store(out + lane, z.to(out.dtype.element_ty))


ARITHMETIC = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "neg": lambda x, y: -x,
    "abs": lambda x, y: x.abs(),
    "maximum": torch.fmax,
    "minimum": torch.fmin,
    "fma": lambda x, y: (x.double() * y.double() + x.double()).float(),
    "where": lambda x, y: torch.where(x > y, x, y),
}


@pytest.mark.parametrize("operation", ARITHMETIC)
@pytest.mark.parametrize("name", ["f32", "f16", "bf16", "fp8", "fp8e5m2"])
def test_arithmetic_rounds_once(name, operation):
    a, b = (as_type(samples(512, seed), name) for seed in (2, 3))
    a = a.view(torch.uint8).roll(a.itemsize).view(a.dtype)  # meet the specials of one with numbers of the other
    out = torch.empty(512, dtype=a.dtype)
    arithmetic_kernel[(1,)](a, b, out, OP=operation, N=512)
    assert_same(out, as_type(ARITHMETIC[operation](a.float(), b.float()), name))


def test_bf16_arithmetic_is_torchs_own():
    a, b = torch.randn(256).bfloat16(), torch.randn(256).bfloat16()
    out = torch.empty_like(a)
    for operation, twin in (("add", torch.add), ("mul", torch.mul), ("div", torch.div)):
        arithmetic_kernel[(1,)](a, b, out, OP=operation, N=256)
        assert_same(out, twin(a, b))


def test_integers_wrap():
    a = torch.full((16,), 2**31 - 1, dtype=torch.int32)
    out = torch.empty_like(a)
    arithmetic_kernel[(1,)](a, a, out, OP="add", N=16)
    assert out.tolist() == [-2] * 16


@triton.jit
def compare_kernel(a, b, out, N: tl.constexpr):
    lane = tl.arange(0, N)
    x = tl.load(a + lane)
    y = tl.load(b + lane)
    tl.store(out + lane, (x < y).to(tl.float32))
    tl.store(out + N + lane, (x <= y).to(tl.float32))
    tl.store(out + 2 * N + lane, (x > y).to(tl.float32))
    tl.store(out + 3 * N + lane, (x >= y).to(tl.float32))
    tl.store(out + 4 * N + lane, (x == y).to(tl.float32))
    tl.store(out + 5 * N + lane, (x != y).to(tl.float32))


@pytest.mark.parametrize("name", [*FLOATS, *INTEGERS])
def test_comparisons(name):
    if name in FLOATS:
        a, b = as_type(samples(256, 4), name), as_type(samples(256, 5).roll(1), name)
        b[::7] = a[::7]
        x, y = a.float(), b.float()
    else:
        a, b = (torch.randint(-100, 100, (256,)).to(INTEGERS[name][1]) for _ in range(2))
        b[::7] = a[::7]
        x, y = a, b
    out = torch.empty(6, 256)
    compare_kernel[(1,)](a, b, out, N=256)
    assert_same(out, torch.stack([x < y, x <= y, x > y, x >= y, x == y, x != y]).float())


@triton.jit
def dot_kernel(a, b, c, out, M: tl.constexpr, N: tl.constexpr, K: tl.constexpr, PRECISION: tl.constexpr):
    m = tl.arange(0, M)
    n = tl.arange(0, N)
    k = tl.arange(0, K)
    left = tl.load(a + m[:, None] * K + k[None, :])
    right = tl.load(b + n[:, None] * K + k[None, :])
    start = tl.load(c + m[:, None] * N + n[None, :])
    total = tl.dot(left, tl.trans(right), start, input_precision=PRECISION, out_dtype=start.dtype)
    tl.store(out + m[:, None] * N + n[None, :], total)


@pytest.mark.parametrize("name", ["f32", "f16", "bf16", "fp8", "fp8e5m2", "i8"])
def test_dot(name):
    generator = torch.Generator().manual_seed(5)
    if name == "i8":
        a, b = (torch.randint(-128, 128, (n, 64), generator=generator).to(torch.int8) for n in (16, 32))
        c = torch.randint(-1000, 1000, (16, 32), generator=generator, dtype=torch.int32)
        want = c + (a.long() @ b.long().T).int()
    else:
        a, b = (as_type(torch.randn(n, 64, generator=generator), name) for n in (16, 32))
        c = torch.randn(16, 32, generator=generator)
        want = c.double() + a.double() @ b.double().T
    out = torch.empty_like(c)
    dot_kernel[(1,)](a, b, c, out, M=16, N=32, K=64, PRECISION="ieee")
    torch.testing.assert_close(out.double(), want.double(), rtol=1e-6, atol=2e-5)
    if name == "i8":
        assert torch.equal(out, want)


def test_tf32_is_what_was_asked_for():
    a = torch.full((16, 16), 1 + 2.0**-12)
    c, out = torch.zeros(16, 16), torch.empty(16, 16)
    dot_kernel[(1,)](a, a, c, out, M=16, N=16, K=16, PRECISION="tf32")
    assert (out == 16).all()
    dot_kernel[(1,)](a, a, c, out, M=16, N=16, K=16, PRECISION="ieee")
    assert (out > 16.007).all()


@triton.jit
def masked_kernel(source, target, count, FILL: tl.constexpr, N: tl.constexpr):
    lane = tl.arange(0, N)
    if FILL:
        value = tl.load(source + lane, mask=lane < count, other=3.0)
    else:
        value = tl.load(source + lane, mask=lane < count)
    tl.store(target + lane, value, mask=lane < N - 1)


@pytest.mark.parametrize("name", [*FLOATS, *INTEGERS])
def test_masked_loads_and_stores(name):
    torch_type = (FLOATS | INTEGERS)[name][1]
    source = torch.arange(1, 9).float().to(torch_type)
    target = torch.full((8,), 12.0).to(torch_type)
    masked_kernel[(1,)](source, target, 5, FILL=True, N=8)
    assert target.float().tolist() == [1, 2, 3, 4, 5, 3, 3, 12]
    masked_kernel[(1,)](source, target, 5, FILL=False, N=8)
    absent = target[5:7].double()
    assert absent.isnan().all() if name in FLOATS else (absent != 0).all()


@triton.jit
def broadcast_kernel(row, column, scalar, out, M: tl.constexpr, N: tl.constexpr):
    m = tl.arange(0, M)
    n = tl.arange(0, N)
    value = tl.load(row + n)[None, :] * tl.load(column + m)[:, None] + tl.load(scalar)
    filled = value + tl.full([M, N], 0.5, value.dtype) + tl.zeros([N], value.dtype)
    tl.store(out + m[:, None] * N + n[None, :], filled)


@pytest.mark.parametrize("name", ["f32", "f16", "bf16"])
def test_broadcasting(name):
    row, column, scalar = (torch.randn(n).to(FLOATS[name][1]) for n in (8, 4, 1))
    out = torch.empty(4, 8, dtype=row.dtype)
    broadcast_kernel[(1,)](row, column, scalar, out, M=4, N=8)
    assert_same(out, row[None, :] * column[:, None] + scalar + 0.5 + torch.zeros(8, dtype=row.dtype))


@triton.jit
def histogram_kernel(bins, weights, total, count, N: tl.constexpr):
    lane = tl.arange(0, N)
    bin = tl.load(bins + lane, mask=lane < count, other=0)
    tl.atomic_add(total + bin, 1, mask=lane < count)
    tl.atomic_add(weights + bin, tl.load(weights + 8 + lane), mask=lane < count)
    tl.store(total + 8 + lane, 7)


def test_atomics_and_stores_of_one_value():
    bins = torch.tensor([0, 3, 3, 1, 3, 0, 0, 0], dtype=torch.int32)
    total, weights = torch.zeros(16, dtype=torch.int32), torch.arange(16).float()
    histogram_kernel[(1,)](bins, weights, total, 6, N=8)
    assert total.tolist() == [2, 1, 0, 3, 0, 0, 0, 0] + [7] * 8
    assert weights[:4].tolist() == [0 + 8 + 13, 1 + 11, 2, 3 + 9 + 10 + 12]


@triton.jit
def orderable_kernel(scores, keys, back, N: tl.constexpr):
    lane = tl.arange(0, N)
    bits = tl.load(scores + lane).to(tl.int32, bitcast=True)
    order = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    key = (order.to(tl.int64) << 32) | (0xFFFFFFFF - lane.to(tl.int64))
    best = tl.topk(key, N)
    tl.store(keys + lane, (0xFFFFFFFF - (best & 0xFFFFFFFF)).to(tl.int32))
    top = (best >> 32).to(tl.int32)
    tl.store(back + lane, (top ^ ((top >> 31) & 0x7FFFFFFF)).to(tl.float32, bitcast=True))


def test_packed_keys_order_scores_with_ties_by_index():
    scores = torch.tensor([1.0, -2.0, 3.0, 3.0, -torch.inf, 0.5, 1.0, torch.inf])
    indices, back = torch.empty(8, dtype=torch.int32), torch.empty(8)
    orderable_kernel[(1,)](scores, indices, back, N=8)
    assert indices.tolist() == [7, 2, 3, 0, 6, 5, 1, 4]
    assert torch.equal(back, scores[indices.long()])


@triton.jit
def logic_kernel(x, out, limit, USE: tl.constexpr, N: tl.constexpr):
    lane = tl.arange(0, N)
    value = tl.load(x + lane)
    both = (value > 0) and (lane < limit)
    either = (value > 0) or (lane < limit) or (value == -1)
    tl.store(out + lane, both.to(tl.int32))
    tl.store(out + N + lane, either.to(tl.int32))
    tl.store(out + 2 * N + lane, (not both).to(tl.int32))
    if USE and limit > 2:
        tl.store(out + lane, 5, mask=lane == 0)
    if not USE or limit > 100:
        tl.store(out + lane, 6, mask=lane == 1)


def test_and_or_not_of_blocks():
    x = torch.tensor([1, -1, 2, -2, 3, -3, 4, -1], dtype=torch.int32)
    out = torch.empty(24, dtype=torch.int32)
    logic_kernel[(1,)](x, out, 3, USE=True, N=8)
    assert out[:8].tolist() == [5, 0, 1, 0, 0, 0, 0, 0]
    assert out[8:16].tolist() == [1, 1, 1, 0, 1, 0, 1, 1]
    assert out[16:].tolist() == [0, 1, 0, 1, 1, 1, 1, 1]
    logic_kernel[(1,)](x, out, 3, USE=False, N=8)
    assert out[:2].tolist() == [1, 6]


@triton.jit
def loop_kernel(x, out, count, N: tl.constexpr):
    total = tl.zeros([N], tl.float32)
    for start in range(tl.program_id(0) * N, count, tl.num_programs(0) * N):
        lane = start + tl.arange(0, N)
        total += tl.load(x + lane, mask=lane < count, other=0.0)
    steps = tl.load(out)
    while steps < 3:
        steps += 1
    tl.store(out + tl.program_id(0) + 1, tl.sum(total, 0) * steps)


def test_loops_up_to_run_time_values():
    x, out = torch.arange(50).float(), torch.zeros(3)
    loop_kernel[(2,)](x, out, 50, N=8)
    first = sum(i for i in range(50) if i // 8 % 2 == 0)
    assert out.tolist() == [0, 3 * first, 3 * (49 * 25 - first)]


def python(script: str, **environment: str) -> subprocess.CompletedProcess:
    clean = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, env=clean | environment
    )


def test_the_interpreter_as_released_fails_the_self_test():
    script = "from hetc.runtime.triton_interpreter_check import self_test; print(*self_test(), sep='\\n')"
    result = python(script, TRITON_INTERPRET="1")
    assert "f32 -> bf16 -> f32" in result.stdout, result.stderr
    assert "f32 -> fp8 -> f32" in result.stdout
    assert "tl.dot of bf16 is wrong" in result.stdout


def test_a_triton_imported_for_compiling_is_refused():
    script = "import triton.language\nfrom hetc.runtime.triton_interpreter import install\ninstall()"
    result = python(script)
    assert "EmulationUnavailable" in result.stderr
    assert "call install() before anything imports triton" in result.stderr


def test_an_untested_version_is_refused(monkeypatch):
    monkeypatch.setattr(triton, "__version__", "3.10.0")
    with pytest.raises(EmulationUnavailable, match=r"3\.10\.0 .* 3\.6 to 3\.9"):
        triton_interpreter._require_version()


def test_install_again_does_nothing():
    started = time.perf_counter()
    install()
    assert time.perf_counter() - started < 0.1
    assert triton_interpreter.installed()
