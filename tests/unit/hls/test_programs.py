"""Whole pipelines in one kernel, as loop nests, against the oracle."""

from __future__ import annotations

import numpy as np
import pytest

SOURCES = {
    "gathers": """
pipeline gathers:
    dim B <= 4
    dim T <= 512 per B
    dim D = 8; dim K = 6
    input kv: bf16[B, T, D]
    input s: f32[B, T]
    input q: f32[B, D]
    relevancy:
        picked[b, j] = topk[t](s[b, t], K)
        p[b, j] = softmax[j](sum[d](q[b, d] * kv[b, picked[b, j], d]) / sqrt(D))
        o[b, d] = sum[j](p[b, j] * kv[b, picked[b, j], d])
        last[b, d] = kv[b, T[b] - 1, d]
        before[b, t < T] = where(t >= 2, s[b, t - 2])
    output o, last, before, picked
""",
    "nested": """
pipeline nested:
    dim B <= 4
    dim T <= 256 per B
    dim H = 3; dim D = 4
    input x: f32[B, T, H, D]
    input m: bool[B, T]
    relevancy:
        a[b, h] = sum[t](where(m[b, t], max[d](x[b, t, h, d])))
        c[b, h] = max[t](where(m[b, t], sum[d](x[b, t, h, d])))
        g[b, h] = mean[t](where(m[b, t], x[b, t, h, 0]))
        f[b, h] = argmax[t](where(m[b, t], x[b, t, h, 1]))
        l[b, h] = argmin[t](x[b, t, h, 2])
        n[b] = count[t](m[b, t])
        y[b] = any[t](m[b, t])
        z[b] = all[t](m[b, t])
        w[b, h] = prod[t](where(m[b, t], 1 + 0.01 * x[b, t, h, 3]))
        u[h, d] = min[b, t](x[b, t, h, d])
    output a, c, g, f, l, n, y, z, w, u
""",
    "integers": """
pipeline integers:
    dim N <= 300
    input a: i32[N]
    input c: i32[N]
    input s: i8[N]
    input u: u8[N]
    input w: i16[N]
    input g: i64[N]
    input f: f32[N]
    relevancy:
        q[n] = a[n] // c[n]
        r[n] = a[n] % c[n]
        p[n] = a[n] * c[n] + a[n] - c[n]
        d[n] = a[n] / c[n]
        k[n] = i8(a[n])
        e[n] = u8(f[n])
        h[n] = i32(f[n])
        i[n] = i64(a[n]) * g[n]
        j = sum[n](s[n] * u[n])
        l = max[n](w[n])
        m[n] = abs(a[n])
        o[n] = (a[n] > c[n]) and not (s[n] == u[n])
        t[n < N] = f[n % 7]
        v[n] = bf16(f[n])
        x[n] = fp8(f[n])
        y[n] = f16(f[n])
        z[n] = round(f[n])
    output q, r, p, d, k, e, h, i, j, l, m, o, t, v, x, y, z
""",
    "selects": """
pipeline selects:
    dim B <= 4
    dim T <= 1000 per B
    input s: f32[B, T]
    input i: i32[B, T]
    relevancy:
        a[b, j] = select[t](s[b, t] > 0.5, capacity=8)
        c[b, j] = select[t](s[b, t] > 0.5, capacity=300)
        d[b, j] = topk[t](i[b, t], 7)
        e[b, j] = topk[t](where(i[b, t] > 0, s[b, t]), 200, order=score)
        f[b, j] = topk[t](s[b, t], 200, order=index)
    output a, c, d, e, f
""",
    "functions": """
pipeline functions:
    dim N <= 300
    input x: f32[N]
    relevancy:
        a[n] = exp(x[n]) + log(abs(x[n]) + 1)
        c[n] = sqrt(abs(x[n])) * rsqrt(abs(x[n]) + 0.5)
        d[n] = tanh(x[n]) + sin(x[n]) * cos(x[n])
        e[n] = sigmoid(x[n]) + silu(x[n]) + gelu(x[n]) + relu(x[n])
        f[n] = floor(x[n]) + sign(x[n])
        g[n] = abs(x[n]) ** 1.5 + x[n] ** 2
        h[n] = softmax[n](x[n])
        m[n] = min(x[n], 0.5) + max(x[n], -0.5)
    output a, c, d, e, f, g, h, m
""",
    "sparse": """
pipeline sparse:
    dim V = 40
    dim N <= 3000
    dim Q <= 12
    dim K = 5
    memory tf: sparse u8[V, N] stored <= 20000
    input terms: i32[Q]
    input idf: f32[V]
    input length: f32[N]
    relevancy:
        s[n] = sum[q](idf[terms[q]] * tf[terms[q], n] / (tf[terms[q], n] + length[n]))
        best[j], picked[j] = topk[n](s[n], K)
        df[v] = count[n](tf[v, n] > 0)
        total[v] = sum[n](tf[v, n])
        biggest[v] = max[n](tf[v, n])
    output picked, best, df, total, biggest
""",
}


@pytest.fixture(scope="module")
def bench(bench_of_sources):
    return bench_of_sources(list(SOURCES.values()), {"streaming": 0})


def special(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Some NaN, infinities and zeros among the values."""
    flat = values.reshape(-1)
    for number in (np.nan, np.inf, -np.inf, 0.0, -0.0):
        flat[random.integers(0, flat.size, max(1, flat.size // 60))] = number
    return values


def test_gathers(bench):
    random = np.random.default_rng(0)
    kv = random.normal(size=(3, 20, 8))
    s = random.normal(size=(3, 20)).astype(np.float32)
    q = random.normal(size=(3, 8)).astype(np.float32)
    import ml_dtypes

    for lengths in ([20, 4, 0], [1, 20, 7]):
        operands = _order(bench, "gathers", kv=kv.astype(ml_dtypes.bfloat16), s=s, q=q)
        bench.check("gathers_kernel", operands, {"B": 3, "T": np.array(lengths)})


def _order(bench, name: str, **operands):
    return [operands[argument.name_hint] for argument in bench.task(f"{name}_kernel").block.args]


@pytest.mark.parametrize("specials", [False, True])
def test_nested(bench, specials):
    random = np.random.default_rng(1)
    x = random.normal(size=(4, 30, 3, 4)).astype(np.float32)
    if specials:
        x[0, 3, 1, 2] = np.nan
        x[1, 0, 0, 1] = np.inf
        x[2, 5, 2, 0] = -np.inf
    operands = _order(bench, "nested", x=x, m=random.random((4, 30)) < 0.5)
    bench.check("nested_kernel", operands, {"B": 4, "T": np.array([30, 1, 0, 17])})


def test_integers(bench):
    random = np.random.default_rng(2)
    n = 200
    extremes = np.array([0, 1, -1, 2**31 - 1, -(2**31)])
    a = np.concatenate([np.repeat(extremes, 5), random.integers(-1000, 1000, n - 25)]).astype(np.int32)
    c = np.concatenate([np.tile(extremes, 5), random.integers(-7, 8, n - 25)]).astype(np.int32)
    f = np.concatenate([[np.nan, np.inf, -np.inf, 1e30, -1e30, 0.5, 1.5, 2.5, -0.5], random.normal(size=n - 9) * 200])
    operands = _order(
        bench, "integers", a=a, c=c, f=f.astype(np.float32), s=random.integers(-128, 128, n).astype(np.int8),
        u=random.integers(0, 256, n).astype(np.uint8), w=random.integers(-30000, 30000, n).astype(np.int16),
        g=random.integers(-(2**40), 2**40, n),
    )  # fmt: skip
    bench.check("integers_kernel", operands, {"N": n})
    bench.check("integers_kernel", operands, {"N": 0})


def test_selects(bench):
    random = np.random.default_rng(3)
    s = special(random.normal(size=(3, 600)).astype(np.float32), random)
    ties = np.round(s, 1)
    i = random.integers(-3, 4, (3, 600)).astype(np.int32)
    for scores in (s, ties):
        operands = _order(bench, "selects", s=scores, i=i)
        bench.check("selects_kernel", operands, {"B": 3, "T": np.array([600, 5, 0])}, exact=True)


def test_functions(bench):
    random = np.random.default_rng(4)
    operands = [(random.normal(size=250) * 3).astype(np.float32)]
    bench.check("functions_kernel", operands, {"N": 250})


def sparse_operands(bench, random, n: int):
    from hetc.backends.reference import SparseMatrix

    tf = np.where(random.random((40, n)) < 0.05, random.integers(1, 9, (40, n)), 0)
    tf[7] = 0
    terms = np.array([3, 5, 3, 7, -1, 40, 12], np.int32)
    matrix = SparseMatrix.from_dense(tf)
    return _order(
        bench, "sparse", tf=matrix, terms=terms, idf=random.random(40).astype(np.float32),
        length=(random.random(n) + 0.5).astype(np.float32),
    )  # fmt: skip


def test_sparse(bench):
    random = np.random.default_rng(5)
    for n in (700, 3, 1):
        bench.check("sparse_kernel", sparse_operands(bench, random, n), {"N": n, "Q": 7})
