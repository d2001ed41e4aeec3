"""Pipelines of the tests, written where users write them: in a module, in a function."""
# ruff: noqa: F821

from __future__ import annotations

from hetc import HeteroPipeline, bf16, f32, hetero_pipeline, le, memory, weight

WIDTH = 64


@hetero_pipeline(grows={"T": 1}, platform="mi210+u55c")
def attend(
    q: f32[B, D],
    k: f32[B, D],
    W: weight(f32["D", "D"]),
    keys: memory(f32["B", "T", "D"]),
    *,
    B=le(4),
    T=le(256, per="B"),
    D=8,
    K=4,
):
    """The best rows of a memory, added up."""
    with prepare:
        append(keys, k)
        p[b, e] = sum[d](q[b, d] * W[d, e])
    with relevancy:
        s[b, t] = sum[d](p[b, d] * keys[b, t, d])
    with retrieve:
        picked[b, j] = topk[t](s[b, t], K)
    with apply:
        o[b, d] = sum[j](keys[b, picked[b, j], d])
    return picked, bf16(o)


@hetero_pipeline
def double(x: f32[N], *, N=le(64)):
    with prepare:
        y[n] = 2 * x[n]
    return y


@hetero_pipeline
def uses_a_global(x: f32[N], *, N=le(64)):
    with prepare:
        y[n] = x[n] * WIDTH
    return y


def made_in_a_function(factor: int) -> HeteroPipeline:
    @hetero_pipeline
    def inner(x: f32[N], *, N=le(64)):
        with prepare:
            y[n] = x[n] * factor
        return y

    return inner


@hetero_pipeline
def log(x: f32[D], rows: memory(f32["T", "D"]), *, T=le(64), D=4):
    with step.push(x, grows={"T": 1}), prepare:
        append(rows, x)
    with step.total():
        with apply:
            y[d] = sum[t](rows[t, d])
        return y


@hetero_pipeline(platform="mi210")
def stack(x: f32[B, D], W: weight(f32["L", "D", "D"]), gain: weight(bf16["D"]), *, B=le(4), L=2, D=4):
    with apply:
        h[b, d] = x[b, d] * gain[d]
        for layer in L:
            h[b, e] = sum[d](h[b, d] * W[layer, d, e])
    return h


@hetero_pipeline(platform="mi210", grows={"T": 1})
def totals(q: f32[B, D], k: f32[B, D], keys: memory(f32["B", "T", "D"]), *, B=le(4), T=le(64), D=4):
    with prepare:
        append(keys, k)
        total[b, d] = q[b, d] + sum[t](keys[b, t, d])
    return total
