"""What both forms of the language spell: the same IR from the text of a file and from a decorated function."""

from __future__ import annotations

from io import StringIO

import pytest
from xdsl.printer import Printer

from hetc import bf16, f32, fp8, hetero_pipeline, i32, le, memory, paged, planes, ring, sparse, u8, weight
from hetc.compiler.decorator import HeteroPipeline
from hetc.compiler.frontend import compile_source
from hetc.source import SourceFile

# ruff: noqa: F821


@hetero_pipeline(grows={"T": 1, "N": "M"})
def storage(
    x: bf16[B, D],
    terms: i32[M, 5],
    start: weight(f32["D"]),
    keys: memory(fp8["B", "T", "D"], layout=paged(block=16)),
    scale: memory(f32["B", "T"], layout=planes("keys")),
    bank: memory(ring(f32["B", 4, "D"])),
    state: memory(f32["D"], initial=start),
    level: memory(f32["B"], initial=-1.5),
    tf: memory(sparse(u8[100, "N"], stored=1e4)),
    *,
    B=le(4),
    T=le(64, per="B"),
    M=le(3),
    N=le(1000),
    D=8,
):
    def norm(v):
        total[b] = sum[d](v[b, d] ** 2)
        y[b, d] = v[b, d] * rsqrt(total[b] + 1)
        return y

    with prepare:
        z = norm(x)
        k[b, d], s[b] = quantize[d](z[b, d], fp8, scale=f32)
        append(keys, k)
        append(scale, s)
        append(bank, z)
        append(tf, terms)
        with when(T[b] % 4 == 0):
            level[b] += 1
            clear(T)
        with when(calls == 100):
            clear(bank)
    with relevancy:
        r[b, t] = scale[b, t] * sum[d](
            rope[d](z[b, d], at=T[b] - 1, layout=half, scaling=yarn(factor=4, original=16)) * keys[b, t, d]
        )
        for layer in 3:
            with repeat(2):
                state[d] = state[d] * 0.5 + layer
    with retrieve:
        best[b, i], order[b, i] = sort[t](r[b, t], order=descending)
        top[b, j] = select[t](r[b, t] > 0.1, capacity=3)
        recent[b, d] = sum[n](where(age(n) < 2, bank[b, n, d]))
        seen[v] = count[n](tf[v, n] > 0)
        both[b, i] = concat[i](z[b, i], recent[b, i])
    return bf16(best), order, top, both, seen, state


STORAGE = """
pipeline storage grows T by 1, N by M:
    input x: bf16[B, D]
    input terms: i32[M, 5]
    weight start: f32[D]
    memory keys: fp8[B, T, D] @paged(block=16)
    memory scale: f32[B, T] @planes(keys)
    memory bank: ring f32[B, 4, D]
    memory state: f32[D] = start
    memory level: f32[B] = -1.5
    memory tf: sparse u8[100, N] stored <= 1e4
    dim B <= 4
    dim T <= 64 per B
    dim M <= 3
    dim N <= 1000
    dim D = 8

    def norm(v):
        total[b] = sum[d](v[b, d] ** 2)
        y[b, d] = v[b, d] * rsqrt(total[b] + 1)
        return y

    prepare:
        z = norm(x)
        k[b, d], s[b] = quantize[d](z[b, d], fp8, scale=f32)
        append(keys, k); append(scale, s); append(bank, z); append(tf, terms)
        when T[b] % 4 == 0:
            level[b] += 1
            clear(T)
        when calls == 100:
            clear(bank)
    relevancy:
        r[b, t] = scale[b, t] * sum[d](rope[d](z[b, d], at=T[b]-1, layout=half, scaling=yarn(factor=4, original=16))
                                       * keys[b, t, d])
        for layer in 3:
            repeat 2:
                state[d] = state[d] * 0.5 + layer
    retrieve:
        best[b, i], order[b, i] = sort[t](r[b, t], order=descending)
        top[b, j] = select[t](r[b, t] > 0.1, capacity=3)
        recent[b, d] = sum[n](where(age(n) < 2, bank[b, n, d]))
        seen[v] = count[n](tf[v, n] > 0)
        both[b, i] = concat[i](z[b, i], recent[b, i])
    output best: bf16, order, top, both, seen, state
"""


@hetero_pipeline
def steps(
    k: f32[L, B, D],
    q: f32[B, D],
    w: weight(f32["L", "D", "D"]),
    keys: memory(f32["L", "B", "T", "D"]),
    *,
    L=2,
    B=le(4),
    T=le(64, per="B"),
    D=8,
):
    with step.add(k, grows={"T": 1}), prepare(gpu):
        for layer in L:
            row[b, e] = sum[d](k[layer, b, d] * w[layer, d, e])
            append(keys[layer], row)
    with step.ask(q):
        with relevancy:
            h[b, d] = q[b, d]
            for layer in L:
                p[b, t] = softmax[t](sum[d](h[b, d] * keys[layer, b, t, d]))
                h[b, d] = h[b, d] + sum[t](p[b, t] * keys[layer, b, t, d])
        return h
    with step.reset, prepare:
        clear(T)


STEPS = """
pipeline steps:
    input k: f32[L, B, D]
    input q: f32[B, D]
    weight w: f32[L, D, D]
    memory keys: f32[L, B, T, D]
    dim L = 2
    dim B <= 4
    dim T <= 64 per B
    dim D = 8

    step add(k) grows T by 1:
        prepare @gpu:
            for layer in L:
                row[b, e] = sum[d](k[layer, b, d] * w[layer, d, e])
                append(keys[layer], row)
    step ask(q):
        relevancy:
            h[b, d] = q[b, d]
            for layer in L:
                p[b, t] = softmax[t](sum[d](h[b, d] * keys[layer, b, t, d]))
                h[b, d] = h[b, d] + sum[t](p[b, t] * keys[layer, b, t, d])
        output h
    step reset:
        prepare:
            clear(T)
"""


@hetero_pipeline
def search(x: f32[B, H, W], y: f32[N, B], *, B=le(4), N=le(8), H=6, W=5):
    def corner(v):
        i[b], j[b] = argmax[h, w](v[b, h, w])
        return i, j

    with retrieve:
        best[b, k], ph[b, k], pw[b, k] = topk[h, w](x[b, h, w], 3, order=score)
        n0[k], n1[k] = select[n, b](y[n, b] > 0, capacity=4)
        ch, cw = corner(x)
        at_n, at_b = argmin[n, b](y[n, b])
        v[b, i], vh[b, i], vw[b, i] = sort[h, w](x[b, h, w])
        q[b, h, w], qs[b] = quantize[h, w](x[b, h, w], fp8)
    with apply:
        p[b, h, w] = softmax[w, h](x[b, h, w]) - mean[n, k < 3](y[n, k])
    return best, ph, pw, n0, n1, ch, cw, at_n, at_b, v, vh, vw, q, qs, p


SEARCH = """
pipeline search:
    input x: f32[B, H, W]
    input y: f32[N, B]
    dim B <= 4
    dim N <= 8
    dim H = 6
    dim W = 5

    def corner(v):
        i[b], j[b] = argmax[h, w](v[b, h, w])
        return i, j

    retrieve:
        best[b, k], ph[b, k], pw[b, k] = topk[h, w](x[b, h, w], 3, order=score)
        n0[k], n1[k] = select[n, b](y[n, b] > 0, capacity=4)
        ch, cw = corner(x)
        at_n, at_b = argmin[n, b](y[n, b])
        v[b, i], vh[b, i], vw[b, i] = sort[h, w](x[b, h, w])
        q[b, h, w], qs[b] = quantize[h, w](x[b, h, w], fp8)
    apply:
        p[b, h, w] = softmax[w, h](x[b, h, w]) - mean[n, k < 3](y[n, k])
    output best, ph, pw, n0, n1, ch, cw, at_n, at_b, v, vh, vw, q, qs, p
"""


@hetero_pipeline
def spellings(
    x: f32[B, T],
    w: weight(f32["D"]),
    y: f32[D + 4],
    state: memory(f32["B", "D"], initial=w),
    *,
    B=le(4),
    T=le(64, per="B"),
    K=le(8),
    D=8,
    C="max((T - 1) // 4, 1)",
):
    with apply:
        hidden[b, d] = state[b, d] * sum[d](w[d] * 4 ** (d % 4))
        longer[d < D + 4] = where(d < D, w[d], y[d])
        part[b, c < C] = x[b, 4 * c]
        best[b, j] = topk[t](x[b, t], K)
        state[b, d] += hidden[b, d]
    return hidden, longer, part, best


SPELLINGS = """
pipeline spellings:
    input x: f32[B, T]
    weight w: f32[D]
    input y: f32[D + 4]
    memory state: f32[B, D] = w
    dim B <= 4
    dim T <= 64 per B
    dim K <= 8
    dim D = 8
    dim C = max((T - 1) // 4, 1)

    apply:
        hidden[b, d] = state[b, d] * sum[d](w[d] * 4 ** (d % 4))
        longer[d < D + 4] = where(d < D, w[d], y[d])
        part[b, c < C] = x[b, 4 * c]
        best[b, j] = topk[t](x[b, t], K)
        state[b, d] += hidden[b, d]
    output hidden, longer, part, best
"""


def printed(module: object) -> str:
    stream = StringIO()
    Printer(stream).print_op(module)  # type: ignore[arg-type]
    return stream.getvalue()


@pytest.mark.parametrize(
    ("pipeline", "text"),
    [(storage, STORAGE), (steps, STEPS), (search, SEARCH), (spellings, SPELLINGS)],
    ids=["storage", "steps", "search", "spellings"],
)
def test_both_forms_give_one_module(pipeline: HeteroPipeline, text: str) -> None:
    assert printed(pipeline.module()) == printed(compile_source(SourceFile("p.mp", text)))
