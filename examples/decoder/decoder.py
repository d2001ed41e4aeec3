"""The first layers of DeepSeek-V3.2, the same pipeline as decoder.mp.

The body is read as equations, not executed: its indices are names that Python does not know.
"""
# ruff: noqa: E741, F821

from hetc import bf16, f32, hetero_pipeline, le, memory, weight


@hetero_pipeline(platform="mi210+u55c", grows={"T": 1})
def decoder(
    x: bf16["B", "E"],  # the token's embedding
    gain: weight(f32["L", "E"]),
    gain_mlp: weight(f32["L", "E"]),
    gain_q: weight(f32["L", "R"]),
    gain_kv: weight(f32["L", "C"]),
    wqa: weight(bf16["L", "R", "E"]),
    wqb: weight(bf16["L", "G", "N", "R"]),
    wqr: weight(bf16["L", "G", "P", "R"]),
    wkv: weight(bf16["L", "C", "E"]),
    wkr: weight(bf16["L", "P", "E"]),
    wuk: weight(bf16["L", "G", "N", "C"]),  # expands a latent to the keys; absorbed into the query
    wuv: weight(bf16["L", "G", "V", "C"]),  # expands a latent to the values; applied after the sum
    wo: weight(bf16["L", "E", "G", "V"]),
    wiq: weight(bf16["L", "H", "D", "R"]),
    wik: weight(bf16["L", "D", "E"]),
    wiw: weight(bf16["L", "H", "E"]),
    gamma: weight(f32["L", "D"]),
    beta: weight(f32["L", "D"]),
    gate: weight(bf16["L", "F", "E"]),
    up: weight(bf16["L", "F", "E"]),
    down: weight(bf16["L", "E", "F"]),
    keys: memory(bf16["L", "B", "T", "D"]),  # of the indexer
    latents: memory(bf16["L", "B", "T", "C"]),
    rotary: memory(bf16["L", "B", "T", "P"]),
    *,
    B=le(64),  # sequences
    T=le(131_072, per="B"),  # tokens in memory, each sequence its own number
    L=3,  # layers
    E=7168,  # hidden sizes of the model and of SwiGLU
    F=18_432,
    R=1536,  # rank of the query's low-rank projection
    G=128,  # attention heads
    N=128,  # parts of a head without and with rotary position
    P=64,
    V=128,  # a head's value
    C=512,  # latent of a token
    H=64,  # index heads and their size
    D=128,
    K=2048,  # tokens attended to
):
    """Layers of latent attention over picked tokens, each with its indexer, and SwiGLU."""
    with prepare:
        h[b, e] = f32(x[b, e])

    for l in L:
        with prepare:
            r[b] = rsqrt(mean[e](h[b, e] ** 2) + 1e-6)
            y[b, e] = h[b, e] * r[b] * gain[l, e]
            qa[b, r] = sum[e](y[b, e] * wqa[l, r, e])
            rq[b] = rsqrt(mean[r](qa[b, r] ** 2) + 1e-6)
            qn[b, r] = qa[b, r] * rq[b] * gain_q[l, r]
            kv[b, c] = sum[e](y[b, e] * wkv[l, c, e])
            rk[b] = rsqrt(mean[c](kv[b, c] ** 2) + 1e-6)
            latent[b, c] = kv[b, c] * rk[b] * gain_kv[l, c]
            kr[b, p] = rope[p](sum[e](y[b, e] * wkr[l, p, e]), at=T[b] - 1, layout=interleaved)
            kx[b, d] = sum[e](y[b, e] * wik[l, d, e])
            mu[b] = mean[d](kx[b, d])
            var[b] = mean[d]((kx[b, d] - mu[b]) ** 2)
            kn[b, d] = (kx[b, d] - mu[b]) * rsqrt(var[b] + 1e-6) * gamma[l, d] + beta[l, d]
            ki[b, d] = rope[d](kn[b, d], at=T[b] - 1, dims=P, layout=half)
            append(keys[l], ki)
            append(latents[l], latent)
            append(rotary[l], kr)
            qi[b, i, d] = rope[d](sum[r](qn[b, r] * wiq[l, i, d, r]), at=T[b] - 1, dims=P, layout=half)
            w[b, i] = sum[e](y[b, e] * wiw[l, i, e]) * H**-0.5 * D**-0.5

        with relevancy:
            s[b, t] = sum[i](w[b, i] * relu(sum[d](qi[b, i, d] * keys[l, b, t, d])))

        with retrieve:
            picked[b, j] = topk[t](s[b, t], K)

        with apply:
            qp[b, g, n] = sum[r](qn[b, r] * wqb[l, g, n, r])
            qc[b, g, c] = sum[n](qp[b, g, n] * wuk[l, g, n, c])
            qr[b, g, p] = rope[p](sum[r](qn[b, r] * wqr[l, g, p, r]), at=T[b] - 1, layout=interleaved)
            near[b, g, j] = sum[c](qc[b, g, c] * latents[l, b, picked[b, j], c])
            far[b, g, j] = sum[p](qr[b, g, p] * rotary[l, b, picked[b, j], p])
            a[b, g, j] = softmax[j]((near[b, g, j] + far[b, g, j]) * (N + P) ** -0.5)
            oc[b, g, c] = sum[j](a[b, g, j] * latents[l, b, picked[b, j], c])
            o[b, g, v] = sum[c](oc[b, g, c] * wuv[l, g, v, c])
            h[b, e] = h[b, e] + sum[g, v](o[b, g, v] * wo[l, e, g, v])
            r[b] = rsqrt(mean[e](h[b, e] ** 2) + 1e-6)
            y[b, e] = h[b, e] * r[b] * gain_mlp[l, e]
            u[b, f] = silu(sum[e](y[b, e] * gate[l, f, e])) * sum[e](y[b, e] * up[l, f, e])
            h[b, e] = h[b, e] + sum[f](u[b, f] * down[l, e, f])

    return h
