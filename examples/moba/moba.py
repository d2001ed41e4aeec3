"""Mixture of block attention: a chunk of tokens of one layer of the paper's 8B model, the same pipeline as moba.mp.

The body is read as equations, not executed: its indices are names that Python does not know.
"""
# ruff: noqa: F821

from hetc import bf16, f32, hetero_pipeline, le, memory


@hetero_pipeline(platform="mi210+u55c", grows={"T": "M"})
def moba(
    q: bf16["B", "M", "H", "G", "D"],  # before the rotary embedding
    k: bf16["B", "M", "H", "D"],
    v: bf16["B", "M", "H", "D"],
    keys: memory(bf16["B", "T", "H", "D"]),
    values: memory(bf16["B", "T", "H", "D"]),
    total: memory(f32["B", "N", "H", "D"]),  # sum of a block's keys
    *,
    B=le(8),  # sequences
    M=le(64),  # tokens of the chunk, of each sequence
    T=le(1_048_576, per="B"),  # tokens in memory, each sequence its own number
    H=8,  # key-value heads, and query heads of each
    G=4,
    D=128,  # head size
    S=4096,  # tokens of a block
    N="ceildiv(T, S)",  # blocks, the last of them perhaps not full
    K=12,  # blocks attended to, a query's own among them
):
    """Mean keys of blocks, top-k of the blocks before a query's own, block-sparse causal attention."""
    with prepare:
        kr[b, m, h, d] = rope[d](k[b, m, h, d], at=T[b] - M + m, layout=half, base=5e5)
        append(keys, kr)
        append(values, v)
        qr[b, m, h, g, d] = rope[d](q[b, m, h, g, d], at=T[b] - M + m, layout=half, base=5e5)
        own[b, m < M] = (T[b] - M + m) // S

    with relevancy:
        total[b, own[b, m], h, d] += kr[b, m, h, d]
        # A query sees the blocks before its own, which are complete, by their means (equations 5 and 6).
        s[b, m, h, g, n] = where(n < own[b, m], sum[d](qr[b, m, h, g, d] * total[b, n, h, d]) / S)

    with retrieve:
        picked[b, m, h, g, j] = topk[n](s[b, m, h, g, n], K - 1)

    with apply:
        self[b, m, h < H, g < G, j < 1] = own[b, m]
        kept[b, m, h, g, j] = concat[j](picked[b, m, h, g, j], self[b, m, h, g, j])
        at[b, m, h, g, r < K * S] = S * kept[b, m, h, g, r // S] + r % S
        z[b, m, h, g, r] = sum[d](qr[b, m, h, g, d] * keys[b, at[b, m, h, g, r], h, d]) / sqrt(D)
        p[b, m, h, g, r] = softmax[r](where(at[b, m, h, g, r] <= T[b] - M + m, z[b, m, h, g, r]))
        o[b, m, h, g, d] = sum[r](p[b, m, h, g, r] * values[b, at[b, m, h, g, r], h, d])

    return bf16(o), kept
