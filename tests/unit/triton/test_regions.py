"""Regions lowered to Triton give what numpy gives."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from kernel_texts import compute, kernel_module, read, reduce

RNG = np.random.default_rng(7)


def normal(*shape, dtype=np.float32):
    return RNG.standard_normal(shape).astype(np.float32).astype(dtype)


def test_pointwise_chain_and_ragged_rows(machine):
    body = read("a", "x", "b t", "[B, T], bf16") + "%e = math.exp %a : f32\n%c = arith.addf %e, %a : f32\n"
    text = kernel_module(
        {"x": "[B, T], bf16"}, compute("y", "b in B, t in T per 0", body, "c", "[B, T], bf16"), [("y", "[B, T], bf16")]
    )
    x = normal(3, 70, dtype=ml_dtypes.bfloat16)
    lengths = [70, 0, 33]
    (got,) = machine(text).run([x], {"B": 3, "T": lengths}, {"B": 3, "T": 70})
    wide = x.astype(np.float32)
    want = (np.exp(wide) + wide).astype(ml_dtypes.bfloat16).astype(np.float32)
    for row, length in enumerate(lengths):
        np.testing.assert_allclose(got[row, :length].astype(np.float32), want[row, :length], rtol=2**-7)
        assert np.all(got[row, length:].view(np.uint16) == 0x5A5A), "nothing past the live length is written"


def test_layernorm_chain(machine):
    t = "[N, 100], f32"
    mean = compute("m", "n in N", reduce("v", "mean", "d in 100", read("a", "x", "n d", t), "a"), "v", "[N], f32")
    inner = read("a", "x", "n d", t) + read("u", "m", "n", "[N], f32")
    inner += "%c = arith.subf %a, %u : f32\n%s = arith.mulf %c, %c : f32\n"
    variance = compute("q", "n in N", reduce("v", "mean", "d in 100", inner, "s"), "v", "[N], f32")
    last = read("a", "x", "n d", t) + read("u", "m", "n", "[N], f32") + read("w", "q", "n", "[N], f32")
    last += "%eps = arith.constant 1.0e-5 : f32\n%we = arith.addf %w, %eps : f32\n%r = math.rsqrt %we : f32\n"
    last += "%c = arith.subf %a, %u : f32\n%y = arith.mulf %c, %r : f32\n"
    text = kernel_module({"x": t}, mean + variance + compute("o", "n in N, d in 100", last, "y", t), [("o", t)])
    x = normal(5, 100)
    (got,) = machine(text).run([x], {"N": 5}, {"N": 5})
    want = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["sum", "prod", "max", "min", "mean", "argmax", "argmin"])
def test_float_reductions_with_nan_ties_and_absent_elements(machine, kind):
    result = "index" if kind.startswith("arg") else "f32"
    inner = read("a", "x", "b t", "[B, T], f32") + "%two = arith.constant 2 : index\n%zero = arith.constant 0 : index\n"
    inner += "%r = mp.mod %t, %two : index\n%p = arith.cmpi eq, %r, %zero : index\n"
    body = reduce("v", kind, "t in T|b", inner, "a if p", result=result)
    element = "index" if kind.startswith("arg") else "f32"
    text = kernel_module(
        {"x": "[B, T], f32"}, compute("y", "b in B", body, "v", f"[B], {element}", element), [("y", f"[B], {element}")]
    )
    x = np.round(normal(6, 90))
    x[1, 4] = x[3, 5] = np.nan  # 5 is absent
    x[5] = -np.inf if "max" in kind else np.inf
    lengths = [90, 90, 0, 41, 1, 7]
    (got,) = machine(text).run([x], {"B": 6, "T": lengths}, {"B": 6, "T": 90})
    empty = {"sum": 0, "prod": 1, "max": -np.inf, "min": np.inf, "mean": 0, "argmax": -1, "argmin": -1}[kind]
    for row, length in enumerate(lengths):
        seen = x[row, :length:2]
        want = getattr(np, kind)(seen) * (2 if kind.startswith("arg") else 1) if length else empty
        np.testing.assert_allclose(got[row], want, rtol=1e-5, err_msg=f"row {row}")


@pytest.mark.parametrize("kind", ["any", "all", "count"])
def test_condition_reductions(machine, kind):
    inner = read("a", "x", "n d", "[N, 37], i32", "i32")
    inner += "%zero = arith.constant 0 : i32\n%c = arith.cmpi sgt, %a, %zero : i32\n"
    result, element = ("i32", "i32") if kind == "count" else ("i1", "i1")
    body = reduce("v", kind, "d in 37", inner, "c", "i1", result)
    text = kernel_module(
        {"x": "[N, 37], i32"}, compute("y", "n in N", body, "v", f"[N], {element}", element), [("y", f"[N], {element}")]
    )
    x = np.stack([np.full(37, -1), np.full(37, 2), np.arange(37) - 30]).astype(np.int32)
    (got,) = machine(text).run([x], {"N": 3}, {"N": 3})
    np.testing.assert_array_equal(got, {"any": np.any, "all": np.all, "count": np.sum}[kind](x > 0, 1))


def test_maximum_inside_a_sum_over_a_ragged_dim(machine):
    inner = reduce("m", "max", "d in 20", read("a", "x", "b t d", "[B, T, 20], f32"), "a")
    body = reduce("s", "sum", "t in T|b", inner, "m")
    text = kernel_module({"x": "[B, T, 20], f32"}, compute("y", "b in B", body, "s", "[B], f32"), [("y", "[B], f32")])
    x = normal(3, 50, 20)
    lengths = [50, 3, 0]
    (got,) = machine(text).run([x], {"B": 3, "T": lengths}, {"B": 3, "T": 50})
    want = [x[row, :length].max(1).sum() if length else 0 for row, length in enumerate(lengths)]
    np.testing.assert_allclose(got, want, rtol=1e-5)


def test_gather_with_absent_picks(machine):
    body = read("i", "picked", "b j", "[B, 5], index", "index")
    body += '%zero = arith.constant 0 : index\n%n = mp.dim_size "T" per %b : index\n'
    body += "%ge = arith.cmpi sge, %i, %zero : index\n%lt = arith.cmpi slt, %i, %n : index\n"
    body += "%p = arith.andi %ge, %lt : i1\n"
    body += read("a", "kv", "b i c", "[B, T, 12], f8E4M3FN", present="p")
    body += "%none = arith.constant -1.0 : f32\n%v = arith.select %p, %a, %none : f32\n"
    text = kernel_module(
        {"picked": "[B, 5], index", "kv": "[B, T, 12], f8E4M3FN"},
        compute("y", "b in B, j in 5, c in 12", body, "v", "[B, 5, 12], f32"),
        [("y", "[B, 5, 12], f32")],
    )
    kv = normal(2, 9, 12, dtype=ml_dtypes.float8_e4m3fn)
    picked = np.array([[0, -1, 8, 9, 100], [2, 1, 2, -7, 3]], np.int32)
    lengths = [9, 3]
    (got,) = machine(text).run([picked, kv], {"B": 2, "T": lengths}, {"B": 2, "T": 9})
    for b in range(2):
        for j, i in enumerate(picked[b]):
            want = kv[b, i].astype(np.float32) if 0 <= i < lengths[b] else np.full(12, -1.0)
            np.testing.assert_array_equal(got[b, j], want)


def test_integer_arithmetic_and_division_by_zero(machine):
    body = read("a", "x", "n", "[N], i32", "i32") + read("c", "y", "n", "[N], i32", "i32")
    body += "%q = arith.floordivsi %a, %c : i32\n%m = mp.mod %a, %c : i32\n%k = arith.constant 1000 : i32\n"
    body += "%qk = arith.muli %q, %k : i32\n%r = arith.addi %qk, %m : i32\n"
    text = kernel_module(
        {"x": "[N], i32", "y": "[N], i32"}, compute("z", "n in N", body, "r", "[N], i32", "i32"), [("z", "[N], i32")]
    )
    x = np.array([7, -7, 7, -7, 5, -2147483648, 0, 6], np.int32)
    y = np.array([3, 3, -3, -3, 0, 1000, 4, -6], np.int32)
    (got,) = machine(text).run([x, y], {"N": 8}, {"N": 8})
    safe = np.where(y == 0, 1, y).astype(np.int64)
    wide = np.where(y == 0, 0, (x // safe) * 1000 + x % safe)
    np.testing.assert_array_equal(got, wide.astype(np.int32))


@pytest.mark.parametrize("kind", ["exp", "log", "sqrt", "rsqrt", "absf", "tanh", "sin", "cos", "erf", "floor", "ceil"])
def test_unary_functions(machine, kind):
    body = read("a", "x", "n", "[N], f32") + f"%v = math.{kind} %a : f32\n"
    text = kernel_module({"x": "[N], f32"}, compute("y", "n in N", body, "v", "[N], f32"), [("y", "[N], f32")])
    x = np.concatenate([normal(60) * 3, [0.0, 1e-4, -1e-4, 1000.5, 30.0, -30.0, 2.5, 3.5]]).astype(np.float32)
    x = np.abs(x) if kind in ("log", "sqrt", "rsqrt") else np.minimum(x, 80)
    (got,) = machine(text).run([x], {"N": len(x)}, {"N": len(x)})
    import math

    wide = x.astype(np.float64)
    with np.errstate(all="ignore"):
        functions = {"absf": np.abs, "rsqrt": lambda v: 1 / np.sqrt(v), "erf": np.vectorize(math.erf)}
        want = functions.get(kind, getattr(np, kind, None))(wide)
    np.testing.assert_allclose(got, want, rtol=3e-6, atol=2e-7)


def test_binary_functions_and_rounding(machine):
    body = read("a", "x", "n", "[N], f32") + read("c", "y", "n", "[N], f32")
    lines = body + "%p = math.powf %a, %c : f32\n"
    second = body + "%p = math.atan2 %a, %c : f32\n"
    third = body + "%p = math.roundeven %a : f32\n"
    text = kernel_module(
        {"x": "[N], f32", "y": "[N], f32"},
        "".join(
            compute(name, "n in N", part, "p", "[N], f32") for name, part in (("u", lines), ("v", second), ("w", third))
        ),
        [("u", "[N], f32"), ("v", "[N], f32"), ("w", "[N], f32")],
    )
    x = np.array([2.0, -2.0, -8.0, 0.0, 0.0, 1.5, 2.5, -0.5, 1e7, -3.0, 4.0], np.float32)
    y = np.array([10.0, 3.0, 1 / 3, 0.0, 2.0, -1.5, 0.5, 2.0, 1.25, 2.0, -1.0], np.float32)
    u, v, w = machine(text).run([x, y], {"N": len(x)}, {"N": len(x)})
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(u, x.astype(np.float64) ** y.astype(np.float64), rtol=1e-6)
    np.testing.assert_allclose(v, np.arctan2(x, y), rtol=1e-6)
    np.testing.assert_array_equal(w, np.round(x))


@pytest.mark.parametrize(
    ("element", "native"),
    [
        ("f8E4M3FN", True),
        *((item, False) for item in ["f8E4M3FN", "f8E5M2", "bf16", "f16", "si8", "ui8", "si16"]),
    ],
)
def test_narrow_stores_round_and_saturate(machine, element, native):
    dtypes = {
        "f8E4M3FN": ml_dtypes.float8_e4m3fn, "f8E5M2": ml_dtypes.float8_e5m2, "bf16": ml_dtypes.bfloat16,
        "f16": np.float16, "si8": np.int8, "ui8": np.uint8, "si16": np.int16,
    }  # fmt: skip
    integer = element[0] in "su" and element[1] == "i"
    x = np.concatenate([normal(300) * 10.0 ** RNG.integers(-6, 5, 300), [0.5, 1.5, 2.5, -0.5, 448, 464, 1e9, -1e9]])
    x = np.append(x, 0.0 if integer else np.nan).astype(np.float32)
    kind = "i32" if integer else "f32"
    body = read("a", "x", "n", "[N], f32") + f"%v = mp.round %a to {element} : f32 -> {kind}\n"
    text = kernel_module(
        {"x": "[N], f32"}, compute("y", "n in N", body, "v", f"[N], {element}", kind), [("y", f"[N], {element}")]
    )
    (got,) = machine(text).run([x], {"N": len(x)}, {"N": len(x)}, native_fp8=native)
    wide = x.astype(np.float64)
    if integer:
        bits, signed = int(element[2:]), element[0] == "s"
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        want = np.clip(np.round(wide), low, high)
    else:
        largest = float(ml_dtypes.finfo(dtypes[element]).max)
        want = np.clip(x, -largest, largest) if element.startswith("f8") else x
        with np.errstate(all="ignore"):
            want = want.astype(dtypes[element]).astype(np.float64)
    np.testing.assert_array_equal(got.astype(np.float64), want)


def test_scalar_result_and_whole_tensor_sum(machine):
    inner = reduce("r", "sum", "d in 30", read("a", "x", "n d", "[N, 30], f32"), "a")
    body = reduce("s", "sum", "n in N", inner, "r")
    text = kernel_module({"x": "[N, 30], f32"}, compute("y", "", body, "s", "[], f32"), [("y", "[], f32")])
    x = normal(200, 30)
    (got,) = machine(text).run([x], {"N": 111}, {"N": 200})
    np.testing.assert_allclose(got, x[:111].sum(), rtol=1e-5, atol=1e-4)
