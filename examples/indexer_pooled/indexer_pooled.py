"""Sparse attention over pools of tokens, as a layer of GLM-5.3-Flash has it: the same pipeline as indexer_pooled.mp.

The body is read as equations, not executed: its indices are names that Python does not know.
"""
# ruff: noqa: F821

from hetc import bf16, f32, hetero_pipeline, le, memory, weight


@hetero_pipeline(platform="mi210+u55c", grows={"T": 1})
def indexer_pooled(
    x: bf16["B", "E"],  # the new token, normed
    wqa: weight(bf16["R", "E"]),
    gain_q: weight(f32["R"]),
    wqb: weight(bf16["G", "N", "R"]),
    wkv: weight(bf16["C", "E"]),
    gain_kv: weight(f32["C"]),
    wuk: weight(bf16["G", "N", "C"]),  # from a latent to keys and values
    wuv: weight(bf16["G", "V", "C"]),
    wo: weight(bf16["E", "G", "V"]),
    wiq: weight(bf16["H", "D", "R"]),
    wik: weight(bf16["D", "E"]),
    wiw: weight(f32["H", "E"]),
    gamma: weight(f32["D"]),
    beta: weight(f32["D"]),
    wg: weight(bf16["D", "E"]),  # how much of a token its pool's key has: by what it is, and where
    place: weight(f32["M", "D"]),
    latents: memory(bf16["B", "T", "C"]),
    recent: memory(f32["B", "M", "D"]),  # of the pool that is being filled
    gates: memory(f32["B", "M", "D"]),
    keys: memory(bf16["B", "P", "D"]),
    *,
    B=le(64),  # sequences
    T=le(1_048_576, per="B"),  # tokens in memory, each sequence its own number
    E=4096,  # hidden size; rank of the query
    R=1536,
    C=512,  # rank of a token's latent, which keys and values are made of
    G=64,  # heads; size of a key and of a value, without rotary positions
    N=256,
    V=256,
    H=32,  # index heads and their size
    D=128,
    M=16,  # tokens of a pool
    P="T // M",  # complete pools
    K=128,  # pools attended to: 2048 tokens
):
    """Pooled index keys, top-k of complete pools, latent attention to their tokens and to those of no pool yet."""
    with prepare:
        qa[b, r] = sum[e](x[b, e] * wqa[r, e])
        qn[b, r] = rmsnorm[r](qa[b, r], 1e-5) * gain_q[r]
        qp[b, g, n] = sum[r](qn[b, r] * wqb[g, n, r])
        qc[b, g, c] = sum[n](qp[b, g, n] * wuk[g, n, c])
        kv[b, c] = sum[e](x[b, e] * wkv[c, e])
        latent[b, c] = rmsnorm[c](kv[b, c], 1e-5) * gain_kv[c]
        append(latents, latent)
        qi[b, h, d] = sum[r](qn[b, r] * wiq[h, d, r])
        w[b, h] = sum[e](x[b, e] * wiw[h, e]) * H**-0.5
        ki[b, d] = sum[e](x[b, e] * wik[d, e])
        recent[b, (T[b] - 1) % M, d] = layernorm[d](ki[b, d], 1e-6) * gamma[d] + beta[d]
        gates[b, (T[b] - 1) % M, d] = sum[e](x[b, e] * wg[d, e])
        share[b, i, d] = softmax[i](gates[b, i, d] + place[i, d])
        pool[b, d] = sum[i](share[b, i, d] * recent[b, i, d])
    with relevancy:
        with when(T[b] % M == 0):
            keys[b, P[b] - 1, d] = pool[b, d]
        s[b, p] = sum[h](w[b, h] * relu(sum[d](qi[b, h, d] * keys[b, p, d]) * D**-0.5))
    with retrieve:
        picked[b, j] = topk[p](s[b, p], K)
    with apply:
        # The tokens of the picked pools, then those that are in no complete pool; what is past the last is absent.
        at[b, r < K * M + M - 1] = where(r < K * M, M * picked[b, r // M] + r % M, M * P[b] + r - K * M)
        a[b, g, r] = softmax[r](sum[c](qc[b, g, c] * latents[b, at[b, r], c]) * N**-0.5)
        oc[b, g, c] = sum[r](a[b, g, r] * latents[b, at[b, r], c])
        o[b, g, v] = sum[c](oc[b, g, c] * wuv[g, v, c])
        y[b, e] = sum[g, v](o[b, g, v] * wo[e, g, v])
    return bf16(y), picked
