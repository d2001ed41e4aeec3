"""SeerAttention-R with a threshold: one decode step of one layer of Qwen3-8B, as in seerattention_threshold.mp.

The body is read as equations, not executed: its indices are names that Python does not know.
"""
# ruff: noqa: F821

from hetc import bf16, hetero_pipeline, le, memory, weight


@hetero_pipeline(platform="mi210+u55c", grows={"T": 1})
def seerattention_threshold(
    q: bf16["B", "H", "G", "D"],  # the new token, before the rotary embedding
    k: bf16["B", "H", "D"],
    v: bf16["B", "H", "D"],
    Wq: weight(bf16["H", "G", "D", "C"]),
    Wk: weight(bf16["H", "3 * D", "C"]),
    keys: memory(bf16["B", "T", "H", "D"]),  # rotated
    values: memory(bf16["B", "T", "H", "D"]),
    recent: memory(bf16["B", "S", "H", "D"]),  # keys of the block that fills, before the rotary embedding
    gate: memory(bf16["B", "N", "H", "C"]),  # the gate's keys
    *,
    B=le(64),  # sequences
    T=le(1_048_576, per="B"),  # tokens in memory, each sequence its own length
    H=8,  # key-value heads
    G=4,  # query heads of each
    D=128,  # head size
    C=128,  # gate size
    S=64,  # tokens of a block
    N="T // S",  # complete blocks
    M=2000,  # 1 / tau: scores sum to 1, so fewer than M blocks can score above tau = 5e-4
):
    """Attention gate over blocks, threshold, block-sparse grouped-query attention."""
    with prepare:
        qr[b, h, g, d] = rope[d](q[b, h, g, d], at=T[b] - 1, layout=half, base=1e6)
        kr[b, h, d] = rope[d](k[b, h, d], at=T[b] - 1, layout=half, base=1e6)
        append(keys, kr)
        append(values, v)

        # One gate query for the heads of a group (equation 1a).
        qw[b, h, c] = sum[g, d](q[b, h, g, d] * Wq[h, g, d, c])
        qg[b, h, c] = rope[c](qw[b, h, c], at=T[b] - 1, layout=half, base=1e6)

        # One gate key for the block that this token may complete, at the place of the block's first token (1b).
        recent[b, (T[b] - 1) % S, h, d] = k[b, h, d]
        high[b, h, d] = max[i](recent[b, i, h, d])
        low[b, h, d] = min[i](recent[b, i, h, d])
        average[b, h, d] = mean[i](recent[b, i, h, d])
        pooled[b, h, e] = concat[e](high[b, h, e], low[b, h, e], average[b, h, e])
        kw[b, h, c] = sum[e](pooled[b, h, e] * Wk[h, e, c])
        kg[b, h, c] = rope[c](kw[b, h, c], at=T[b] - S, layout=half, base=1e6)

    with relevancy:
        with when(T[b] % S == 0):
            gate[b, N[b] - 1, h, c] = kg[b, h, c]
        s[b, h, n] = softmax[n](sum[c](qg[b, h, c] * gate[b, n, h, c]) / sqrt(C))

    with retrieve:
        picked[b, h, j] = select[n](s[b, h, n] > 1 / M, capacity=M)

    with apply:
        # The last block, complete or not, is always attended to, and once.
        last[b] = (T[b] - 1) // S
        more[b, h, i < 1] = where(count[j](picked[b, h, j] == last[b]) == 0, last[b])
        kept[b, h, j] = concat[j](picked[b, h, j], more[b, h, j])
        at[b, h, r < (M + 1) * S] = S * kept[b, h, r // S] + r % S
        a[b, h, g, r] = sum[d](qr[b, h, g, d] * keys[b, at[b, h, r], h, d]) / sqrt(D)
        p[b, h, g, r] = softmax[r](a[b, h, g, r])
        o[b, h, g, d] = sum[r](p[b, h, g, r] * values[b, at[b, h, r], h, d])

    return bf16(o), kept
