"""Layers of DeepSeek-V4.1-Flash that pick by the same keys: the same pipeline as indexer_two_level.mp.

The body is read as equations, not executed: its indices are names that Python does not know.
"""
# ruff: noqa: E741, F821

from hetc import bf16, f32, hetero_pipeline, le, memory, weight


@hetero_pipeline(platform="mi210+u55c", grows={"T": 1})
def indexer_two_level(
    x: bf16["B", "E"],  # what the first of the layers takes
    gain: weight(f32["L", "E"]),
    wqa: weight(bf16["L", "R", "E"]),
    gain_q: weight(f32["L", "R"]),
    wqb: weight(bf16["L", "H", "D", "R"]),
    wkv: weight(bf16["L", "D", "E"]),
    gain_kv: weight(f32["L", "D"]),
    sink: weight(f32["L", "H"]),
    woa: weight(bf16["L", "G", "Q", "U", "D"]),
    wob: weight(bf16["L", "E", "G", "Q"]),
    wiq: weight(bf16["L", "I", "F", "R"]),
    wiw: weight(bf16["L", "I", "E"]),
    wc: weight(bf16["D", "E"]),  # made once
    gain_c: weight(f32["D"]),
    wik: weight(bf16["F", "D"]),
    gain_k: weight(f32["F"]),
    window: memory(bf16["L", "B", "W", "D"]),  # each layer's own last tokens
    entries: memory(bf16["B", "T", "D"]),
    keys: memory(bf16["B", "T", "F"]),
    *,
    B=le(8),  # sequences; tokens, each sequence its own number
    T=le(1_048_576, per="B"),
    N=4,  # layers that look in candidates; with the one that finds them, last
    L="N + 1",
    E=5120,  # hidden size of the model; rank of the query's low-rank projection
    R=1280,
    H=64,  # attention heads; a head's size, key and value in one
    D=512,
    P=64,  # channels with rotary position, the first of a head
    W=128,  # last tokens attended to
    I=32,  # index heads and their size
    F=128,
    Z=8,  # tokens of a block, blocks
    J="(T + Z - 1) // Z",
    C=2048,  # candidate blocks; tokens attended to beside the last ones
    K=512,
    G=8,  # groups in the output projection, heads and rank of each
    U="H // G",
    Q=1024,
):
    """An indexer over all tokens that publishes candidate blocks, and indexers of later layers over these alone."""

    def turned(v, position, *, i):
        return rope[i](
            v,
            at=position,
            dims=P,
            layout=interleaved,
            base=1.6e5,
            scaling=yarn(factor=16, original=65536, beta_fast=32, beta_slow=1),
        )

    def entered(h, l):  # what a layer takes of the hidden state, its query's projection, the queries and what it keeps
        y[b, e] = rmsnorm[e](h[b, e], 1e-20) * gain[l, e]
        qa[b, r] = sum[e](y[b, e] * wqa[l, r, e])
        qn[b, r] = rmsnorm[r](qa[b, r], 1e-20) * gain_q[l, r]
        q[b, g, d] = turned[d](sum[r](qn[b, r] * wqb[l, g, d, r]), T[b] - 1)
        kv[b, d] = turned[d](rmsnorm[d](sum[e](y[b, e] * wkv[l, d, e]), 1e-20) * gain_kv[l, d], T[b] - 1)
        qi[b, i, f] = turned[f](sum[r](qn[b, r] * wiq[l, i, f, r]), T[b] - 1)
        w[b, i] = sum[e](y[b, e] * wiw[l, i, e]) * I**-0.5 * F**-0.5
        return y, q, kv, qi, w

    def attended(h, q, picked, l):  # to the last tokens of the layer, the picked of all, and a sink
        near[b, g, r] = where(r < T[b], sum[d](q[b, g, d] * window[l, b, r, d]) * D**-0.5)
        far[b, g, j] = sum[d](q[b, g, d] * entries[b, picked[b, j], d]) * D**-0.5
        none[b < B, g, z < 1] = sink[l, g]
        a[b, g, n] = softmax[n](concat[n](near[b, g, n], far[b, g, n], none[b, g, n]))
        own[b, g, d] = sum[r < W](a[b, g, r] * window[l, b, r, d])
        seen[b, g, d] = own[b, g, d] + sum[j](a[b, g, W + j] * entries[b, picked[b, j], d])
        o[b, g, d] = turned[d](seen[b, g, d], 1 - T[b])  # values have the position of their keys: it is taken back
        oa[b, u, c] = sum[n, d](o[b, U * u + n, d] * woa[l, u, c, n, d])
        out[b, e] = h[b, e] + sum[u, c](oa[b, u, c] * wob[l, e, u, c])
        return out

    with prepare:
        h0[b, e] = f32(x[b, e])
        y, q, kv, qi, w = entered(h0, N)
        window[N, b, (T[b] - 1) % W, d] = kv[b, d]
        entry[b, d] = rmsnorm[d](sum[e](y[b, e] * wc[d, e]), 1e-20) * gain_c[d]
        key[b, f] = rmsnorm[f](sum[d](entry[b, d] * wik[f, d]), 1e-20) * gain_k[f]
        te[b, d] = turned[d](entry[b, d], T[b] - 1)
        tk[b, f] = turned[f](key[b, f], T[b] - 1)
        append(entries, te)
        append(keys, tk)
    with relevancy:
        s[b, t] = sum[i](w[b, i] * relu(sum[f](qi[b, i, f] * keys[b, t, f])))
        best[b, n < J] = where(n == J[b] - 1, inf, max[z < Z](s[b, Z * n + z]))  # the newest block always is
    with retrieve:
        found[b, c] = topk[n](best[b, n], C)
        picked[b, j] = topk[t](s[b, t], K)
    with apply:
        h = attended(h0, q, picked, N)
    for l in N:
        with prepare:
            y, q, kv, qi, w = entered(h, l)
            window[l, b, (T[b] - 1) % W, d] = kv[b, d]
        with relevancy:
            s[b, c, z < Z] = sum[i](w[b, i] * relu(sum[f](qi[b, i, f] * keys[b, Z * found[b, c] + z, f])))
        with retrieve:
            block[b, j], place[b, j] = topk[c, z](s[b, c, z], K)
            picked[b, j] = Z * found[b, block[b, j]] + place[b, j]
        with apply:
            h = attended(h, q, picked, l)

    return h
