"""Compressed sparse attention, as a layer of DeepSeek-V4-Flash has it: one decode step, the same pipeline as csa.mp.

The body is read as equations, not executed: its indices are names that Python does not know.
"""
# ruff: noqa: E741, F821

from hetc import bf16, f32, hetero_pipeline, le, memory, weight


@hetero_pipeline(platform="mi210+u55c", grows={"T": 1})
def csa(
    x: bf16["B", "E"],  # the new token, normed
    wqa: weight(bf16["R", "E"]),
    gain_q: weight(f32["R"]),
    wqb: weight(bf16["H", "D", "R"]),
    wkv: weight(bf16["D", "E"]),
    gain_kv: weight(f32["D"]),
    wc: weight(bf16[2, "D", "E"]),  # an entry is made of values by logits; for the next, for this
    wz: weight(bf16[2, "D", "E"]),
    wic: weight(bf16[2, "F", "E"]),  # and of the indexer
    wiz: weight(bf16[2, "F", "E"]),
    bias: weight(f32["M", 2, "D"]),
    gain: weight(f32["D"]),
    bias_i: weight(f32["M", 2, "F"]),
    gain_i: weight(f32["F"]),
    wiq: weight(bf16["I", "F", "R"]),
    wiw: weight(bf16["I", "E"]),
    sink: weight(f32["H"]),
    woa: weight(bf16["G", "Q", "N", "D"]),
    wob: weight(bf16["E", "G", "Q"]),
    window: memory(bf16["B", "W", "D"]),
    values: memory(f32["B", "2 * M", 2, "D"]),  # of the last tokens
    logits: memory(f32["B", "2 * M", 2, "D"]),
    values_i: memory(f32["B", "2 * M", 2, "F"]),
    logits_i: memory(f32["B", "2 * M", 2, "F"]),
    entries: memory(bf16["B", "C", "D"]),
    keys: memory(bf16["B", "C", "F"]),
    *,
    B=le(64),  # sequences
    T=le(1_048_576, per="B"),  # tokens, each sequence its own number
    E=4096,  # hidden size of the model
    R=1024,  # rank of the query's low-rank projection
    H=64,  # attention heads; a head's size, key and value in one
    D=512,
    P=64,  # channels with rotary position, the first of a head
    W=128,  # last tokens attended to
    M=4,  # tokens from one entry to the next; an entry is made of twice as many
    C="T // M",  # entries
    I=64,  # index heads and their size
    F=128,
    K=512,  # entries attended to
    G=8,  # groups in the output projection, heads and rank of each
    N="H // G",
    Q=1024,
):
    """Two compressed memories, an indexer over one, attention with a sink to the other and to a window."""

    def turned(v, position, *, i):
        return rope[i](
            v,
            at=position,
            dims=P,
            layout=interleaved,
            base=1.6e5,
            scaling=yarn(factor=16, original=65536, beta_fast=32, beta_slow=1),
        )

    def pooled(v, z, g):  # the last 2 M tokens, the older half by what they hold for the next entry
        p[b, i < 2 * M, c] = softmax[i](where(T[b] + i >= 2 * M, z[b, (T[b] + i) % (2 * M), i // M, c]))
        y[b, c] = sum[i](p[b, i, c] * v[b, (T[b] + i) % (2 * M), i // M, c])
        entry[b, c] = turned[c](rmsnorm[c](y[b, c], 1e-6) * g[c], T[b] - M)
        return entry

    with prepare:
        qa[b, r] = sum[e](x[b, e] * wqa[r, e])
        qn[b, r] = rmsnorm[r](qa[b, r], 1e-6) * gain_q[r]
        qb[b, h, d] = sum[r](qn[b, r] * wqb[h, d, r])
        q[b, h, d] = turned[d](rmsnorm[d](qb[b, h, d], 1e-6), T[b] - 1)
        kv[b, d] = sum[e](x[b, e] * wkv[d, e])
        window[b, (T[b] - 1) % W, d] = turned[d](rmsnorm[d](kv[b, d], 1e-6) * gain_kv[d], T[b] - 1)
        values[b, (T[b] - 1) % (2 * M), a, d] = sum[e](x[b, e] * wc[a, d, e])
        logits[b, (T[b] - 1) % (2 * M), a, d] = sum[e](x[b, e] * wz[a, d, e]) + bias[(T[b] - 1) % M, a, d]
        values_i[b, (T[b] - 1) % (2 * M), a, f] = sum[e](x[b, e] * wic[a, f, e])
        logits_i[b, (T[b] - 1) % (2 * M), a, f] = sum[e](x[b, e] * wiz[a, f, e]) + bias_i[(T[b] - 1) % M, a, f]
        entry = pooled(values, logits, gain)
        key = pooled(values_i, logits_i, gain_i)
        qi[b, i, f] = turned[f](sum[r](qn[b, r] * wiq[i, f, r]), T[b] - 1)
        w[b, i] = sum[e](x[b, e] * wiw[i, e]) * I**-0.5 * F**-0.5

    with relevancy:
        with when(T[b] % M == 0):
            keys[b, C[b] - 1, f] = key[b, f]
        s[b, c] = sum[i](w[b, i] * relu(sum[f](qi[b, i, f] * keys[b, c, f])))

    with retrieve:
        picked[b, j] = topk[c](s[b, c], K)

    with apply:
        with when(T[b] % M == 0):
            entries[b, C[b] - 1, d] = entry[b, d]
        near[b, h, r] = where(r < T[b], sum[d](q[b, h, d] * window[b, r, d]) * D**-0.5)
        far[b, h, j] = sum[d](q[b, h, d] * entries[b, picked[b, j], d]) * D**-0.5
        none[b < B, h, z < 1] = sink[h]
        a[b, h, n] = softmax[n](concat[n](near[b, h, n], far[b, h, n], none[b, h, n]))
        seen[b, h, d] = sum[r < W](a[b, h, r] * window[b, r, d]) + sum[j](a[b, h, W + j] * entries[b, picked[b, j], d])
        o[b, h, d] = turned[d](seen[b, h, d], 1 - T[b])  # values have the position of their keys: it is taken back
        oa[b, g, u] = sum[n, d](o[b, N * g + n, d] * woa[g, u, n, d])
        y[b, e] = sum[g, u](oa[b, g, u] * wob[e, g, u])

    return bf16(y), picked
