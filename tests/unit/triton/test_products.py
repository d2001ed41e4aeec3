"""Sums of products run as matrix products, exact in their operands' types."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from kernel_texts import compute, kernel_module, read, reduce

RNG = np.random.default_rng(5)
DTYPES = {"bf16": ml_dtypes.bfloat16, "f16": np.float16, "f32": np.float32, "f8E4M3FN": ml_dtypes.float8_e4m3fn}


def normal(*shape, dtype=np.float32):
    return RNG.standard_normal(shape).astype(np.float32).astype(dtype)


@pytest.mark.parametrize(
    ("left", "right", "operand"),
    [
        ("bf16", "bf16", "bf16"),
        ("f16", "f16", "f16"),
        ("f32", "f32", "f32"),
        ("bf16", "f8E4M3FN", "bf16"),
        ("f16", "bf16", "f32"),
    ],
)
def test_matrix_product_with_odd_extents(machine, left, right, operand):
    inner = read("a", "x", "n e", f"[N, 100], {left}") + read("c", "w", "e m", f"[100, 37], {right}")
    inner += "%p = arith.mulf %a, %c : f32\n"
    body = reduce("s", "sum", "e in 100", inner, "p")
    text = kernel_module(
        {"x": f"[N, 100], {left}", "w": f"[100, 37], {right}"},
        compute("y", "n in N, m in 37", body, "s", "[N, 37], f32"),
        [("y", "[N, 37], f32")],
    )
    x, w = normal(21, 100, dtype=DTYPES[left]), normal(100, 37, dtype=DTYPES[right])
    x[20] = np.nan  # a row past the live ones
    target = machine(text)
    (got,) = target.run([x, w], {"N": 20}, {"N": 21})
    np.testing.assert_allclose(got[:20], x[:20].astype(np.float32) @ w.astype(np.float32), rtol=1e-5, atol=1e-5)
    assert "tl.dot" in target.lowered.text
    assert ('input_precision="ieee"' in target.lowered.text) == (operand == "f32")


def scoring_text(heads: int, depth: int) -> str:
    inner = read("q1", "q", "b h d", f"[B, {heads}, {depth}], bf16")
    inner += read("k1", "keys", "b t d", f"[B, T, {depth}], f8E4M3FN") + "%p = arith.mulf %q1, %k1 : f32\n"
    dot = reduce("s", "sum", f"d in {depth}", inner, "p")
    outer = dot + "%z = arith.constant 0.0 : f32\n%r = arith.maximumf %s, %z : f32\n"
    outer += read("w1", "w", "b h", f"[B, {heads}], f32") + "%m = arith.mulf %w1, %r : f32\n"
    body = reduce("o", "sum", f"h in {heads}", outer, "m") + read("g", "scale", "b t", "[B, T], f32")
    body += "%v = arith.mulf %o, %g : f32\n"
    operands = {
        "q": f"[B, {heads}, {depth}], bf16",
        "w": f"[B, {heads}], f32",
        "keys": f"[B, T, {depth}], f8E4M3FN",
        "scale": "[B, T], f32",
    }
    return kernel_module(
        operands, compute("y", "b in B, t in T per 0", body, "v", "[B, T], f32"), [("y", "[B, T], f32")]
    )


@pytest.mark.parametrize(("heads", "depth"), [(64, 128), (6, 40)])
def test_scoring_of_ragged_rows(machine, heads, depth):
    q, w = normal(3, heads, depth, dtype=ml_dtypes.bfloat16), normal(3, heads)
    keys, scale = normal(3, 90, depth, dtype=ml_dtypes.float8_e4m3fn), normal(3, 90)
    lengths = [90, 0, 41]
    target = machine(scoring_text(heads, depth))
    assert "tl.dot" in target.lowered.text
    (got,) = target.run([q, w, keys, scale], {"B": 3, "T": lengths}, {"B": 3, "T": 90})
    products = np.einsum("bhd,btd->bht", q.astype(np.float64), keys.astype(np.float64))
    want = np.einsum("bh,bht->bt", w, np.maximum(products, 0)) * scale
    for row, length in enumerate(lengths):
        np.testing.assert_allclose(got[row, :length], want[row, :length], rtol=1e-4, atol=2e-3)


def test_conditions_leave_lanes_out_before_they_are_multiplied(machine):
    """Attention over picked rows: a pick of -1 counts nothing, though the row beside it holds infinities."""
    inner = read("i", "picked", "b j", "[B, 20], index", "index")
    inner += "%zero = arith.constant 0 : index\n%ok = arith.cmpi sge, %i, %zero : index\n"
    inner += read("p1", "p", "b g j", "[B, 16, 20], f32") + read("v1", "v", "b i c", "[B, N, 32], bf16", present="ok")
    inner += "%m = arith.mulf %p1, %v1 : f32\n"
    body = reduce("s", "sum", "j in 20", inner, "m if ok")
    text = kernel_module(
        {"picked": "[B, 20], index", "p": "[B, 16, 20], f32", "v": "[B, N, 32], bf16"},
        compute("y", "b in B, g in 16, c in 32", body, "s", "[B, 16, 32], f32"),
        [("y", "[B, 16, 32], f32")],
    )
    picked = RNG.integers(0, 50, (2, 20)).astype(np.int32)
    picked[0, ::3] = -1
    p, v = normal(2, 16, 20), normal(2, 50, 32, dtype=ml_dtypes.bfloat16)
    p[0, :, ::3] = np.inf
    target = machine(text)
    (got,) = target.run([picked, p, v], {"B": 2, "N": 50}, {"B": 2, "N": 50})
    assert "tl.dot" in target.lowered.text
    for row in range(2):
        ok = picked[row] >= 0
        want = p[row][:, ok] @ v[row, picked[row, ok]].astype(np.float32)
        np.testing.assert_allclose(got[row], want, rtol=1e-5, atol=1e-5)
