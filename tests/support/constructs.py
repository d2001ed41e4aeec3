"""Every construct of the language as a small program, to be tried on every backend."""

from __future__ import annotations

HEAD = """pipeline construct{grows}:
    dim B <= 3
    dim T <= 64 per B
    dim N <= 64
    dim D = 8
    dim E = 4
    dim K = 5
{declarations}
{statements}
    output {output}
"""

X = "input x: f32[B, D]"
Y = "input y: f32[D, E]"
KEYS = "memory keys: bf16[B, T, D]"
ROW = "r[b, d] = x[b, d] * 2\nappend(keys, r)"
BANK = "memory bank: f32[N, D]"
BANK_ROW = "v[d] = x[0, d]\nappend(bank, v)"

# name -> (declarations, statements, output, growth)
CONSTRUCTS: dict[str, tuple[str, str, str, str]] = {
    "elementwise arithmetic `+ - * /`": (X, "o[b, d] = (x[b, d] + 1) * 3 / (abs(x[b, d]) + 2) - 4", "o", ""),
    "integer `//` `%` `**` and division by zero": (
        "input n: i32[D]", "o[i < D] = (n[i] // (i - 2)) % 3 + n[i] ** 2", "o", "",
    ),
    "integer powers by run-time exponents": (
        "input n: i32[D]", "o[i < D] = 4 ** (i % 4) + 3 ** (n[i] & 3)\nw[i] = (-5) ** n[i]\nv[i] = n[i] ** (i // 2)", "o, w, v", "",
    ),
    "and, or, exclusive or and not of bits": (
        "input n: i32[D]", "o[i < D] = ~n[i] & 5 | n[i] ^ i\nw[i] = n[i] ^ -1", "o, w", "",
    ),
    "shifts by any count": (
        "input n: i32[D]\ninput by: i32[D]", "o[i] = n[i] << by[i]\nw[i] = n[i] >> 8 * by[i]\nv[i] = n[i] >> i", "o, w, v", "",
    ),
    "comparisons, `and or not`": (X, "o[b, d] = (x[b, d] > 0 and not x[b, d] >= 1) or d == 3", "o", ""),
    "`where` with two branches": (X, "o[b, d] = where(x[b, d] > 0, x[b, d], -1.0)", "o", ""),
    "`where` without else (absent)": (X, "o[b] = sum[d](where(x[b, d] > 0, x[b, d]))", "o", ""),
    "binary `min` `max`": (X, "o[b, d] = min(max(x[b, d], -1), 1)", "o", ""),
    "`exp log sqrt rsqrt abs`": (X, "o[b, d] = exp(x[b, d]) + log(abs(x[b, d]) + 1) * sqrt(abs(x[b, d])) * rsqrt(abs(x[b, d]) + 1)", "o", ""),
    "`relu sigmoid silu gelu tanh`": (X, "o[b, d] = relu(x[b, d]) + sigmoid(x[b, d]) + silu(x[b, d]) + gelu(x[b, d]) + tanh(x[b, d])", "o", ""),
    "`sin cos atan2 erf`": (X, "o[b, d] = sin(x[b, d]) + cos(x[b, d]) + atan2(x[b, d], 2.0) + erf(x[b, d])", "o", ""),
    "`floor ceil round sign pow ceildiv`": (X, "o[b, d] = floor(x[b, d]) + ceil(x[b, d]) + round(x[b, d]) * sign(x[b, d]) + pow(abs(x[b, d]) + 1, 1.5) + ceildiv(d, 3)", "o", ""),
    "casts to every dtype": (X, "o[b, d] = f32(bf16(x[b, d])) + f32(f16(x[b, d])) + f32(fp8(x[b, d])) + f32(fp8e5m2(x[b, d])) + f32(i32(x[b, d] * 10)) + f32(i8(x[b, d] * 10))", "o", ""),
    "`inf`, `true`, `false`": (
        f"{X}\nmemory best: f32[D] = -inf\nmemory on: bool[D] = true",
        "best[d] = max(best[d], x[0, d])\no[b, d] = where(on[d] and true, min(x[b, d], inf), best[d])\non[d] = false", "o", "",
    ),
    "index and dim values": (X, "o[b < B, d < D] = f32(b * D + d + B)", "o", ""),
    "`sum`": (f"{X}\n{Y}", "o[b, e] = sum[d](x[b, d] * y[d, e])", "o", ""),
    "`prod`": (X, "o[b] = prod[d](x[b, d] / 2 + 1)", "o", ""),
    "`max` `min` (NaN kept)": (X, "o[b] = max[d](x[b, d]) - min[d](x[b, d])", "o", ""),
    "`mean`": (X, "o[b] = mean[d](x[b, d])", "o", ""),
    "`any all count`": (X, "o[b] = where(any[d](x[b, d] > 1) or all[d](x[b, d] < 1), count[d](x[b, d] > 0), -1)", "o", ""),
    "`argmax argmin`": (X, "o[b] = argmax[d](x[b, d]) + argmin[d](x[b, d])", "o", ""),
    "reduction over several indices": (Y, "o[k < K] = sum[d, e](y[d, e]) * k", "o", ""),
    "`argmax argmin` over several indices": (X, "p[b], q[b] = argmax[d, i < 3](x[b, d] * i)\nr, s = argmin[b, d](x[b, d])\no[b] = x[b, p[b]] * q[b] + x[r, s]", "o, p, q, r, s", ""),
    "`mean` over several indices": (f"{X}\n{KEYS}", ROW + "\no[b] = mean[t, d](keys[b, t, d])", "o", " grows T by 1"),
    "bounded reduction `sum[i < 3]`": (X, "o[b] = sum[i < 3](x[b, i + 1])", "o", ""),
    "nested reductions": (f"{X}\n{Y}", "o[b] = max[e](sum[d](x[b, d] * y[d, e]))", "o", ""),
    "a reduction's index of the name of one around it": (
        f"{X}\n{Y}", "o[b, d] = x[b, d] * sum[d](x[b, d] * max[e](y[d, e] * sum[e](y[d, e])))", "o", "",
    ),
    "affine indices (blocks)": (X, "o[b, j < 4] = sum[i < 2](x[b, 2 * j + i])", "o", ""),
    "indirect indices": ("input n: i32[K]\n" + X, "o[b, k] = x[b, n[k]]", "o", ""),
    "index past an end (absent)": (X, "o[b, d < D] = x[b, d + 1] + x[b, d - 1]", "o", ""),
    "index past an end where a condition chooses something else": (
        f"{X}\ninput y: f32[B, E]", "o[b, d < 12] = where(d < E, y[b, d], where(d < D, x[b, d], -1))", "o", "",
    ),
    "arithmetic on picks, `present`, `coalesce`": (
        X, "p[b, k] = topk[d](where(x[b, d] > 1, x[b, d]), K)\n"
        "o[b, k] = coalesce(x[b, p[b, k] + 1], where(present(p[b, k]), -1.0, -2.0))", "o", "",
    ),
    "`and or` of what is absent": (X, "o[b, d < D] = x[b, d + 1] > 0 or d > 2 and x[b, d - 1] > 0", "o", ""),
    "indices past 32 and 64 bits": (X, "f[d < D] = d * 65536 * 65536\no[b, d] = x[b, f[d] * 65536 * 65536] + x[b, f[d] // 65536 // 65536]", "o, f", ""),
    "derived dims of differences, `min`, `max`": ("dim P = min((N - 1) // 4, N - E)\ndim Q = max(N // 2, E) * 2\n" + X + "\n" + BANK, BANK_ROW + "\no[p < P] = bank[4 * p, 0]\nw[q < Q] = q + P", "o, w", " grows N by 1"),
    "bound on the left `v < V`": (X, "o[b, v < E] = x[b, v]", "o", ""),
    "derived dims `T // 4`": ("dim P = N // 4\n" + X + "\n" + BANK, BANK_ROW + "\no[p < P] = max[i < 4](bank[4 * p + i, 0])", "o", " grows N by 1"),
    "`append`, live length": (f"{X}\n{KEYS}", ROW + "\no[b] = sum[t](keys[b, t, 0])", "o", " grows T by 1"),
    "growth by several rows": ("input z: f32[B, 3, D]\n" + KEYS, "append(keys, z)\no[b] = count[t](keys[b, t, 0] > 0)", "o", " grows T by 3"),
    "growth of each row by its own": (f"dim C <= 4 per B\ninput z: f32[B, C, D]\n{KEYS}", "append(keys, z)\no[b] = count[t](keys[b, t, 0] > 0)", "o", " grows T by C"),
    "whole-memory update": (f"{X}\nmemory state: f32[D]", "state[d] = state[d] * 0.9 + x[0, d]\no[d] = state[d]", "o", ""),
    "`+=` with plain indices": (f"{X}\nmemory state: f32[D]", "state[d] += x[0, d]\no[d] = state[d]", "o", ""),
    "initial value of a memory": (f"{X}\nmemory state: f32[D] = 2", "state[d] = state[d] + x[0, d]\no[d] = state[d]", "o", ""),
    "`topk`": (f"{X}\n{KEYS}", ROW + "\no[b, k] = topk[t](sum[d](x[b, d] * keys[b, t, d]), K)", "o", " grows T by 1"),
    "`topk` with scores, `order=score`": (X, "best[b, k], o[b, k] = topk[d](x[b, d], K, order=score)", "best, o", ""),
    "`topk` of a run-time number": (X, "best[b, k], p[b, k] = topk[d](x[b, d], N, order=score)\no[b, k] = topk[d](x[b, d], N, order=index)", "best, p, o", ""),
    "`topk` of integers": ("input n: i32[D]", "best[k], o[k] = topk[d](n[d] * 65536, K, order=score)", "best, o", ""),
    "`topk` `order=index`": (X, "o[b, k] = topk[d](x[b, d], K, order=index)", "o", ""),
    "`topk` over several indices": (f"{X}\n{KEYS}", ROW + "\nbest[b, k], p[b, k], o[b, k] = topk[t, d](keys[b, t, d], K)\nq[k], r[k] = topk[b, t](keys[b, t, 0], K, order=score)", "best, p, o, q, r", " grows T by 1"),
    "gather through picks": (f"{X}\n{KEYS}", ROW + "\np[b, k] = topk[t](keys[b, t, 0], K)\no[b, d] = sum[k](keys[b, p[b, k], d])", "o", " grows T by 1"),
    "`select` with a capacity": (X, "o[b, k] = select[d](x[b, d] > 0, capacity=K)", "o", ""),
    "`select` over several indices": (X, "p[b, k], o[b, k] = select[d, i < 3](x[b, d] > i, capacity=K)", "p, o", ""),
    "`softmax` over several indices": (f"{X}\n{KEYS}", ROW + "\no[b, t, d] = softmax[t, d](keys[b, t, d])\np[b, d] = softmax[b, d](x[b, d])", "o, p", " grows T by 1"),
    "`softmax`": (X, "o[b, d] = softmax[d](x[b, d])", "o", ""),
    "`rope` half and interleaved": (X, "h[b, d] = rope[d](x[b, d], at=7, dims=4, layout=half)\no[b, d] = rope[d](h[b, d], at=3, dims=8, layout=interleaved)", "o", ""),
    "`quantize` fp8 pow2": (X, "q[b, d], s[b] = quantize[d](x[b, d], fp8, scale=pow2)\no[b, d] = q[b, d] * s[b]", "o", ""),
    "`quantize` over several indices": (f"{X}\n{KEYS}", ROW + "\no[b, t, d], s[b] = quantize[t, d](keys[b, t, d], i8)\np[b, d], q = quantize[b, d](x[b, d], fp8)", "o, s, p, q", " grows T by 1"),
    "`quantize` i8 in blocks": (X, "q[b, d], s[b, j] = quantize[d](x[b, d], i8, block=4, scale=f32)\no[b, d] = q[b, d] * s[b, d // 4]", "o", ""),
    "sparse memory: append, rows, scan": (
        "input words: i32[6]\ninput query: i32[B, 3]\nmemory tf: sparse u8[16, N] stored <= 1000",
        "append(tf, words)\nf[b, q < 3] = count[n](tf[query[b, q], n] > 0)\no[b, n] = sum[q](tf[query[b, q], n] * 2.0)",
        "o, f", " grows N by 1",
    ),
    "dtypes f16 bf16 fp8 fp8e5m2 stored": (
        "memory a: f16[D]\nmemory c: fp8[D]\nmemory e: fp8e5m2[D]\n" + X,
        "a[d] = a[d] + x[0, d]\nc[d] = c[d] + x[0, d]\ne[d] = e[d] + x[0, d]\no[d] = a[d] + c[d] + e[d]", "o", "",
    ),
    "dtypes i8 u8 i16 i64 bool stored": (
        "input a: i8[D]\ninput c: u8[D]\ninput e: i16[D]\ninput g: i64[D]\ninput m: bool[D]",
        "o[d] = where(m[d], i64(a[d]) + i64(c[d]) + i64(e[d]) + g[d], -1)", "o", "",
    ),
    "`repeat`": (X, "v[b, d] = x[b, d]\nrepeat 3:\n    v[b, d] = v[b, d] * 0.5 + 1\no[b, d] = v[b, d]", "o", ""),
    "`def`": (X, "o[b, d] = x[b, d] / double(x[b, d] + 3)", "o", ""),
    "`def` over an index, the prelude": (
        X, "s[b] = logsumexp[d](x[b, d])\no[b, d] = layernorm[d](softplus(x[b, d]), 1e-5) + s[b]", "o", ""
    ),
    "`concat`": (f"{X}\n{Y}", "o[b, d] = concat[d](x[b, d], y[d, 1], x[b, d])", "o", ""),
    "several steps": (f"{X}\n{KEYS}", ROW, "keys", " grows T by 1"),
    "update of a part": (f"{X}\nmemory state: f32[D]", "state[d < 3] = x[0, d]\no[d] = state[d]", "o", ""),
    "update at computed places": (f"{X}\ninput n: i32[K]\nmemory state: f32[D]", "state[n[k]] = x[0, k + 1]\no[d] = state[d]", "o", ""),
    "`+=` at computed places": (f"{X}\ninput n: i32[K]\nmemory state: f32[D]", "state[n[k]] += x[0, k + 1]\no[d] = state[d]", "o", ""),
    "update of a growing memory": (f"{X}\n{KEYS}", ROW + "\nkeys[b, T[b] - 2, d] *= 0.5\no[b] = sum[t](keys[b, t, 0])", "o", " grows T by 1"),
    "initial value from a tensor": (f"{X}\nweight w: f32[D]\nmemory state: f32[D] = w", "state[d] = state[d] * 0.5 + x[0, d]\no[d] = state[d]", "o", ""),
    "initial value from a tensor of fewer dims": (f"{X}\nweight w: f32[D]\nmemory state: f32[B, D] = w", "state[b, d] = state[b, d] * 0.5 + x[b, d]\no[b, d] = state[b, d]", "o", ""),
    "ring memory, `age`": (f"{X}\nmemory bank: ring f32[B, E, D]", "append(bank, x)\no[b] = sum[e](bank[b, e, 0] * age(e))", "o", ""),
    "`calls`": (X, "o[b] = x[b, 0] * calls", "o", ""),
    "`when`": (f"{X}\nmemory state: f32[B, D]", "when x[b, 0] > 0:\n    state[b, d] = x[b, d]\no[b, d] = state[b, d]", "o", ""),
    "`for`": (f"{X}\nmemory state: f32[E, D]", "v[b, d] = x[b, d]\nfor l in E:\n    state[l, d] = state[l, d] + v[0, d]\n    v[b, d] = state[l, d] * x[b, d]\no[b, d] = v[b, d]", "o", ""),
    "`for` over layers of weights and memories": (
        f"{X}\nweight w: f32[E, D]\nmemory state: f32[E, B, D]",
        "h[b, d] = x[b, d]\nfor l in E:\n    state[l, b, d] = state[l, b, d] * 0.5 + h[b, d]\n    h[b, d] = h[b, d] + state[l, b, d] * w[l, d]\no[b, d] = h[b, d]",
        "o", "",
    ),
    "`append(keys[l], k)` in a loop": (
        f"{X}\nmemory keys: bf16[E, B, T, D]",
        "h[b, d] = x[b, d]\nfor l in E:\n    r[b, d] = h[b, d] * 2\n    append(keys[l], r)\n    h[b, d] = tanh(sum[t](keys[l, b, t, d]))\no[b, d] = h[b, d]",
        "o", " grows T by 1",
    ),
    "stages in `for`, `repeat` and `when`": (
        f"{X}\nmemory state: f32[E, D]",
        "apply: v[b, d] = x[b, d]\nfor l in E:\n    apply: state[l, d] += v[0, d]\n    repeat 2:\n        apply: v[b, d] = state[l, d] * x[b, d]\nwhen x[0, 0] > 0:\n    apply: state[l < 1, d] = x[0, d]\napply: o[b, d] = v[b, d]",
        "o", "",
    ),
    "update that is written in place": (
        f"{X}\ninput n: i32[K]\nmemory big: f32[5000, D]",
        "big[n[k] * 900, d] = x[0, d] * k\no[d] = sum[i < 5000](big[i, d])", "o", "",
    ),
    "`+=` that is written in place": (
        f"{X}\ninput n: i32[K]\nmemory big: f32[5000, D]",
        "big[n[k] % 3, d] += x[0, d] * k\no[d] = big[0, d] + big[1, d]", "o", "",
    ),
    "memory along a derived dim": (
        "dim P = N // 4\n" + X + "\n" + BANK + "\nmemory blocks: f32[P, D]",
        BANK_ROW + "\nblocks[P - 1, d] = max[i < 4](bank[4 * (P - 1) + i, d])\no[d] = sum[p](blocks[p, d])", "o", " grows N by 1",
    ),
    "`clear`": (f"{X}\n{KEYS}", ROW + "\no[b] = sum[t](keys[b, t, 0])\nwhen x[b, 0] > 0:\n    clear(T)", "o", " grows T by 1"),
    "`clear` of a ring": (f"{X}\nmemory bank: ring f32[B, E, D]", "append(bank, x)\no[b] = sum[e](bank[b, e, 0])\nwhen calls % 3 == 2:\n    clear(bank)", "o", ""),
    "`sort`": (X, "o[b, d] = sort[d](x[b, d])", "o", ""),
    "`sort` over several indices": (f"{X}\n{KEYS}", ROW + "\ny[b, i], o[b, i], p[b, i] = sort[t, d](keys[b, t, d] * x[b, d])", "y, o, p", " grows T by 1"),
    "`sort` with the order, descending, over rows": (f"{X}\n{KEYS}", ROW + "\ny[b, i], o[b, i] = sort[t](keys[b, t, 0], order=descending)", "y, o", " grows T by 1"),
    "`rope` with `scaling`": (X, "h[b, d] = rope[d](x[b, d], at=70, layout=half, scaling=yarn(factor=4, original=16))\no[b, d] = rope[d](h[b, d], at=3, layout=half, scaling=linear(factor=2))", "o", ""),
    "dtypes i4 u4 i2 u2 fp4 in packed bytes, e8m0": (
        f"{X}\nweight w: i4[D]\ninput c: fp4[B, D]\nmemory keys: u4[B, T, D] @paged(4)\nmemory ks: e8m0[B, T] @planes(keys)\nmemory state: i2[3, D] = 1",
        "r[b, d] = u4(x[b, d] * 4)\ne[b] = abs(x[b, 0])\nappend(keys, r)\nappend(ks, e)\nstate[1, d] = i32(x[0, d])\nstate[0, 2] += 1\nn[b, d] = u2(r[b, d])\n"
        "o[b, d] = w[d] * c[b, d] + sum[t](keys[b, t, d] * ks[b, t]) + state[d % 3, d] + n[b, d]",
        "o, n", " grows T by 1",
    ),
    "`quantize` mxfp4, mxfp8, nvfp4, stored": (
        "dim F = 64\ninput x: f32[B, F]\nmemory keys: fp4[B, T, F]\nmemory scale: e8m0[B, T, 2]",
        "a[b, f], s[b, g] = quantize[f](x[b, f], mxfp4)\nc[b, f], e[b, g] = quantize[f](x[b, f], mxfp8)\nh[b, f], i[b, g] = quantize[f](x[b, f], nvfp4)\n"
        "append(keys, a)\nappend(scale, s)\no[b] = sum[t](keys[b, t, 3] * scale[b, t, 0])\ny[b, f] = c[b, f] * e[b, f // 32] + h[b, f] * i[b, f // 16]",
        "o, y, a, s", " grows T by 1",
    ),
    "`quantize` i4 in blocks, stored": (
        f"{X}\nmemory codes: i4[D]\nmemory scales: f32[2]",
        "q[d], s[j] = quantize[d](x[0, d], i4, block=4, scale=f32)\no[d] = codes[d] * scales[d // 4] + q[d]\ncodes[d] = q[d]\nscales[j] = s[j]", "o", "",
    ),
    "memory in pages (`@paged`)": (f"{X}\nmemory keys: bf16[B, T, D] @paged(4)", ROW + "\np[b, k] = topk[t](keys[b, t, 0], K)\no[b, d] = sum[k](keys[b, p[b, k], d])", "o", " grows T by 1"),
    "memory in pages that is only read": (f"{X}\nmemory keys: bf16[B, T, D] @paged(4)\nmemory size: fp8[B, T] @planes(keys)", "o[b] = sum[t](keys[b, t, 0] * size[b, t] * x[b, 0])", "o", ""),
    "memories in one record (`@record`)": (f"{X}\n{KEYS}\nmemory size: f32[B, T] @record(keys)", ROW + "\nn[b] = sum[d](x[b, d])\nappend(size, n)\no[b] = sum[t](keys[b, t, 0] * size[b, t])", "o", " grows T by 1"),
    "planes in pages (`@planes`)": (f"{X}\nmemory keys: bf16[B, T, D] @paged(4)\nmemory size: f32[B, T] @planes(keys)", ROW + "\nn[b] = sum[d](x[b, d])\nappend(size, n)\no[b] = sum[t](keys[b, t, 0] * size[b, t])", "o", " grows T by 1"),
    "memory striped over channels (`@striped`)": (f"{X}\nmemory keys: bf16[B, T, 16] @striped(4)", "r[b, i < 16] = x[b, i // 2]\nappend(keys, r)\no[b, t] = sum[i < 16](keys[b, t, i] * x[b, i // 2])", "o", " grows T by 1"),
    "softmax over a memory (attention)": (f"{X}\n{KEYS}", ROW + "\np[b, t] = softmax[t](sum[d](x[b, d] * keys[b, t, d]))\no[b, d] = sum[t](p[b, t] * keys[b, t, d])", "o", " grows T by 1"),
}  # fmt: skip


def program(name: str) -> str:
    """The construct's `.mp` text."""
    declarations, statements, output, grows = CONSTRUCTS[name]
    if "apply:" not in statements:
        statements = f"apply:\n{_indented(statements, 4)}"
    text = HEAD.format(
        grows=grows,
        declarations=_indented(declarations, 4),
        statements=_indented(statements, 4),
        output=output,
    )
    if "double(" in text:
        return text.replace("    apply:", "    def double(v):\n        return v * 2\n\n    apply:")
    return _in_two_steps(text, grows) if name == "several steps" else text


def _in_two_steps(text: str, grows: str) -> str:
    """The pipeline with a second step, which reads what the first leaves."""
    head, body = text.replace(f"construct{grows}:", "construct:").split("    apply:")
    ask = "    step ask(x):\n        apply:\n            a[b] = sum[t](keys[b, t, 0] * x[b, 0])\n        output a\n"
    return f"{head}    step add(x){grows}:\n{_indented('    apply:' + body, 4)}\n{ask}"


def _indented(text: str, columns: int) -> str:
    return "\n".join(" " * columns + line for line in text.splitlines())
