"""LServe: one decode step of one layer of Llama-3.1-8B, the same pipeline as lserve.mp.

The body is read as equations, not executed: its indices are names that Python does not know.
"""
# ruff: noqa: F821

from hetc import bf16, f32, hetero_pipeline, i8, i32, le, memory


@hetero_pipeline(platform="mi210+u55c", grows={"T": 1})
def lserve(
    q: bf16["B", "H", "G", "D"],  # the new token in the retrieval heads, before the rotary embedding
    k: bf16["B", "H", "D"],
    v: bf16["B", "H", "D"],
    qs: bf16["B", "H", "G", "D"],  # and in the streaming heads
    ks: bf16["B", "H", "D"],
    vs: bf16["B", "H", "D"],
    keys: memory(i8["B", "T", "H", "D"]),
    key_scale: memory(f32["B", "T", "H"]),
    values: memory(i8["B", "T", "H", "D"]),
    value_scale: memory(f32["B", "T", "H"]),
    high: memory(bf16["B", "NL", "H", "D"]),  # largest and least key of a logical page, channel by channel
    low: memory(bf16["B", "NL", "H", "D"]),
    chosen: memory(i32["B", "H", "G", "K - 1"]),  # pages chosen
    since: memory(i32["B"]),  # the last page when they were
    window: memory(i8["B", 2, "SINK + LOCAL", "H", "D"]),  # keys and values that the streaming heads see
    window_scale: memory(f32["B", 2, "SINK + LOCAL", "H"]),
    *,
    B=le(64),  # sequences
    T=le(1_048_576, per="B"),  # tokens in memory, each sequence its own length
    H=4,  # key-value heads of either kind
    G=4,  # query heads of each
    D=128,  # head size
    L=16,  # tokens of a logical page: what bounds are kept of
    M=4,  # logical pages of a page
    P="L * M",  # tokens of a page: what is attended to
    NL="ceildiv(T, L)",  # logical pages, the last of them perhaps not full
    N="ceildiv(T, P)",  # pages
    K=64,  # pages attended to: a budget of 4096 tokens
    U=4,  # steps that share a choice of pages
    SINK=128,  # first tokens that a streaming head sees
    LOCAL=256,  # and last ones
):
    """Page bounds, top-k pages shared by several steps, block-sparse and streaming attention."""
    with prepare:
        kr[b, h, d] = rope[d](k[b, h, d], at=T[b] - 1, layout=half, base=5e5)
        k8[b, h, d], kc[b, h] = quantize[d](kr[b, h, d], i8, scale=f32)
        v8[b, h, d], vc[b, h] = quantize[d](v[b, h, d], i8, scale=f32)
        append(keys, k8)
        append(key_scale, kc)
        append(values, v8)
        append(value_scale, vc)
        qr[b, h, g, d] = rope[d](q[b, h, g, d], at=T[b] - 1, layout=half, base=5e5)

        # A streaming head overwrites the oldest of its last tokens.
        slot[b] = where(T[b] <= SINK, T[b] - 1, SINK + (T[b] - 1 - SINK) % LOCAL)
        n8[b, h, d], nc[b, h] = quantize[d](rope[d](ks[b, h, d], at=T[b] - 1, layout=half, base=5e5), i8, scale=f32)
        m8[b, h, d], mc[b, h] = quantize[d](vs[b, h, d], i8, scale=f32)
        window[b, i < 2, slot[b], h, d] = where(i == 0, n8[b, h, d], m8[b, h, d])
        window_scale[b, i < 2, slot[b], h] = where(i == 0, nc[b, h], mc[b, h])
        qt[b, h, g, d] = rope[d](qs[b, h, g, d], at=T[b] - 1, layout=half, base=5e5)

    with relevancy:
        high[b, NL[b] - 1, h, d] = where((T[b] - 1) % L == 0, kr[b, h, d], max(high[b, NL[b] - 1, h, d], kr[b, h, d]))
        low[b, NL[b] - 1, h, d] = where((T[b] - 1) % L == 0, kr[b, h, d], min(low[b, NL[b] - 1, h, d], kr[b, h, d]))
        # No token of a logical page scores more than this; a page scores what its best logical page does.
        u[b, h, g, n] = sum[d](max(qr[b, h, g, d] * high[b, n, h, d], qr[b, h, g, d] * low[b, n, h, d]))
        s[b, h, g, p < N] = max[m < M](u[b, h, g, M * p + m])

    with retrieve:
        best[b, h, g, j] = topk[p](where(p + 1 < N[b], s[b, h, g, p]), K - 1)

    with apply:
        with when(calls % U == 0):
            chosen[b, h, g, j] = best[b, h, g, j]
            since[b] = N[b] - 1
        # The last page is always attended to, and so are pages opened since the choice: two at most, for U <= P.
        fresh[b, h < H, g < G, i < 2] = where(since[b] + i < N[b], since[b] + i)
        kept[b, h, g, j] = concat[j](chosen[b, h, g, j], fresh[b, h, g, j])
        at[b, h, g, r < (K + 1) * P] = P * kept[b, h, g, r // P] + r % P
        a[b, h, g, r] = sum[d](qr[b, h, g, d] * keys[b, at[b, h, g, r], h, d]) * key_scale[b, at[b, h, g, r], h]
        p[b, h, g, r] = softmax[r](a[b, h, g, r] / sqrt(D)) * value_scale[b, at[b, h, g, r], h]
        o[b, h, g, d] = sum[r](p[b, h, g, r] * values[b, at[b, h, g, r], h, d])
        c[b, h, g, w] = sum[d](qt[b, h, g, d] * window[b, 0, w, h, d]) * window_scale[b, 0, w, h]
        e[b, h, g, w] = softmax[w](where(w < T[b], c[b, h, g, w] / sqrt(D))) * window_scale[b, 1, w, h]
        os[b, h, g, d] = sum[w](e[b, h, g, w] * window[b, 1, w, h, d])

    return bf16(o), bf16(os), kept
