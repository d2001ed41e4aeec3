"""DeepSeek sparse attention (DeepSeek-V3.2-Exp): one decode step of one layer, the same pipeline as dsa.mp.

The body is read as equations, not executed: its indices are names that Python does not know.
"""
# ruff: noqa: F821

from hetc import bf16, f32, fp8, hetero_pipeline, le, memory, weight


@hetero_pipeline(platform="mi210+u55c", grows={"T": 1})
def dsa(
    x: bf16["B", "E"],  # the hidden state
    qr: bf16["B", "R"],  # the query's low-rank projection, normalised
    qn: bf16["B", "G", "N"],  # attention query, part without position
    qp: bf16["B", "G", "P"],  # attention query, rotary part, already rotated
    c: bf16["B", "C"],  # the new token: latent, rotated key
    Wk: weight(bf16["E", "D"]),
    gamma: weight(f32["D"]),
    beta: weight(f32["D"]),
    Wq: weight(bf16["R", "H", "D"]),
    Ww: weight(bf16["E", "H"]),
    Wuk: weight(bf16["G", "N", "V"]),  # expands a latent to the keys; absorbed into the query
    Wuv: weight(bf16["G", "V", "N"]),  # expands a latent to the values; applied after the sum
    keys: memory(fp8["B", "T", "D"]),
    scale: memory(f32["B", "T"]),
    kv: memory(bf16["B", "T", "C"]),
    *,
    B=le(64),  # sequences
    T=le(1_048_576, per="B"),  # tokens in memory, each sequence its own length
    E=7168,  # hidden size
    R=1536,  # rank of the query's low-rank projection
    H=64,  # index heads
    LOG_D=7,
    D="2**LOG_D",  # index head size, a power of two for the Hadamard rotation
    K=2048,  # tokens attended to
    G=128,  # attention heads
    N=128,  # part of a head without position
    P=64,  # part of a head with rotary position
    V=512,  # latent of a token
    C="V + P",  # what is kept of a token: its latent and its rotary key
):
    """Lightning indexer, top-k, sparse multi-head latent attention."""
    with prepare:
        # Hadamard matrix of order D (Sylvester): the sign is the parity of the common bits of row and column.
        had[i < D, j < D] = prod[l < LOG_D](1 - 2 * ((i // 2**l) % 2) * ((j // 2**l) % 2))

        # One key for all index heads: projection, LayerNorm, rotary embedding, rotation, fp8.
        kx[b, d] = sum[e](x[b, e] * Wk[e, d])
        mu[b] = mean[d](kx[b, d])
        var[b] = mean[d]((kx[b, d] - mu[b]) ** 2)
        kn[b, d] = (kx[b, d] - mu[b]) * rsqrt(var[b] + 1e-6) * gamma[d] + beta[d]
        kr[b, d] = rope[d](kn[b, d], at=T[b] - 1, dims=P, layout=half)
        kh[b, d] = sum[i](kr[b, i] * had[i, d]) / sqrt(D)
        k8[b, d], ks[b] = quantize[d](kh[b, d], fp8, scale=pow2, floor=1e-4)
        append(keys, k8)
        append(scale, ks)
        append(kv, c)

        # The index queries, and the weight of each head with the query's scale folded in.
        qx[b, h, d] = sum[r](qr[b, r] * Wq[r, h, d])
        qt[b, h, d] = rope[d](qx[b, h, d], at=T[b] - 1, dims=P, layout=half)
        qh[b, h, d] = sum[i](qt[b, h, i] * had[i, d]) / sqrt(D)
        q8[b, h, d], qs[b, h] = quantize[d](qh[b, h, d], fp8, scale=pow2, floor=1e-4)
        w[b, h] = sum[e](x[b, e] * Ww[e, h]) * H**-0.5 * qs[b, h] * D**-0.5

    with relevancy:
        # A weight may be negative: it stays outside of the relu.
        s[b, t] = scale[b, t] * sum[h](w[b, h] * relu(sum[d](q8[b, h, d] * keys[b, t, d])))

    with retrieve:
        picked[b, j] = topk[t](s[b, t], K)

    with apply:
        mscale = 0.1 * log(40) + 1  # YaRN, contexts beyond 4 K
        qa[b, g, v] = sum[n](qn[b, g, n] * Wuk[g, n, v])
        a[b, g, j] = (
            (sum[v < V](qa[b, g, v] * kv[b, picked[b, j], v]) + sum[r](qp[b, g, r] * kv[b, picked[b, j], V + r]))
            * mscale**2
            / sqrt(N + P)
        )
        p[b, g, j] = softmax[j](a[b, g, j])
        ol[b, g, v < V] = sum[j](p[b, g, j] * kv[b, picked[b, j], v])
        o[b, g, n] = sum[v](ol[b, g, v] * Wuv[g, v, n])

    return bf16(o), picked
