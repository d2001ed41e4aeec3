"""Groups of layers of Hy4-preview with one indexer each, the same pipeline as indexer_shared.mp.

The body is read as equations, not executed: its indices are names that Python does not know.
"""
# ruff: noqa: E741, F821

from hetc import bf16, f32, hetero_pipeline, le, memory, weight


@hetero_pipeline(platform="mi210+u55c", grows={"T": 1})
def indexer_shared(
    x: bf16["B", "E"],  # the token's embedding
    mix: weight(f32["L", "M", 2, "2 * S", "S", "E"]),
    base: weight(f32["L", "M", 2, "2 * S"]),
    scale: weight(f32["L", "M", 2, 2]),
    gain: weight(f32["L", "M", 2, "E"]),
    gain_q: weight(f32["L", "M", "R"]),
    gain_kv: weight(f32["L", "M", "C"]),
    wqa: weight(bf16["L", "M", "R", "E"]),
    wqb: weight(bf16["L", "M", "G", "N", "R"]),
    wqr: weight(bf16["L", "M", "G", "P", "R"]),
    wkv: weight(bf16["L", "M", "C", "E"]),
    wkr: weight(bf16["L", "M", "P", "E"]),
    wuk: weight(bf16["L", "M", "G", "N", "C"]),  # from a latent to keys and values
    wuv: weight(bf16["L", "M", "G", "V", "C"]),
    wg: weight(bf16["L", "M", "G", "V", "E"]),
    wo: weight(bf16["L", "M", "E", "G", "V"]),
    sink: weight(f32["L", "M", "G"]),
    wiq: weight(bf16["L", "H", "D", "R"]),
    wik: weight(bf16["L", "D", "E"]),
    wiw: weight(f32["L", "H", "E"]),
    gamma: weight(f32["L", "D"]),
    beta: weight(f32["L", "D"]),
    router: weight(f32["L", "M", "X", "E"]),
    bias: weight(f32["L", "M", "X"]),
    gate: weight(bf16["L", "M", "X", "F", "E"]),
    up: weight(bf16["L", "M", "X", "F", "E"]),
    down: weight(bf16["L", "M", "X", "E", "F"]),
    gate_all: weight(bf16["L", "M", "F", "E"]),
    up_all: weight(bf16["L", "M", "F", "E"]),
    down_all: weight(bf16["L", "M", "E", "F"]),
    keys: memory(bf16["L", "B", "T", "D"]),
    latents: memory(bf16["L", "M", "B", "T", "C"]),
    rotary: memory(bf16["L", "M", "B", "T", "P"]),
    *,
    B=le(8),  # sequences; tokens in memory, each sequence its own number
    T=le(131_072, per="B"),
    L=2,  # groups of layers, layers of each, streams of the hidden state
    M=4,
    S=4,
    E=2816,  # hidden size; ranks of the query and of a token's latent
    R=1536,
    C=512,
    G=32,  # heads; parts without and with rotary position; value
    N=192,
    P=64,
    V=256,
    H=16,  # index heads and their size; tokens attended to
    D=128,
    K=2048,
    X=256,  # experts, how many of them a token has, their hidden size
    J=8,
    F=768,
):
    """Groups of layers with one indexer each: latent attention with sinks over picked tokens, experts, four streams."""

    def entered(h, l, m, i):  # what a layer's attention (0) or experts (1) take of the streams, and give to each
        w[b, u] = sum[s, e](h[b, s, e] * mix[l, m, i, u, s, e]) * rsqrt(mean[s, e](h[b, s, e] ** 2) + 1e-5)
        g[b, u] = sigmoid(w[b, u] * scale[l, m, i, u // S] + base[l, m, i, u])
        z[b, e] = sum[s < S]((g[b, s] + 1e-6) * h[b, s, e])
        y[b, e] = rmsnorm[e](z[b, e], 1e-5) * gain[l, m, i, e]
        post[b, s < S] = 2.0 * g[b, S + s] + 1e-6
        q[b, r] = sum[e](y[b, e] * wqa[l, m, r, e])
        qn[b, r] = rmsnorm[r](q[b, r], 1e-6) * gain_q[l, m, r]
        return y, post, qn

    with prepare:
        h[b, s < S, e] = f32(x[b, e])
    for l in L:
        with prepare:
            y, post, qn = entered(h, l, 0, 0)
            kx[b, d] = sum[e](y[b, e] * wik[l, d, e])
            kn[b, d] = layernorm[d](kx[b, d], 1e-5) * gamma[l, d] + beta[l, d]
            ki[b, d] = rope[d](kn[b, d], at=T[b] - 1, dims=P, layout=half)
            append(keys[l], ki)
            qi[b, i, d] = rope[d](sum[r](qn[b, r] * wiq[l, i, d, r]), at=T[b] - 1, dims=P, layout=half)
            w[b, i] = sum[e](y[b, e] * wiw[l, i, e]) * H**-0.5 * D**-0.5
        with relevancy:
            s[b, t] = sum[i](w[b, i] * relu(sum[d](qi[b, i, d] * keys[l, b, t, d])))
        with retrieve:
            picked[b, j] = topk[t](s[b, t], K)
        for m in M:
            with apply:
                y, post, qn = entered(h, l, m, 0)
                kv[b, c] = sum[e](y[b, e] * wkv[l, m, c, e])
                latent[b, c] = rmsnorm[c](kv[b, c], 1e-6) * gain_kv[l, m, c]
                kr[b, p] = rope[p](sum[e](y[b, e] * wkr[l, m, p, e]), at=T[b] - 1, layout=half)
                append(latents[l, m], latent)
                append(rotary[l, m], kr)
                qp[b, g, n] = sum[r](qn[b, r] * wqb[l, m, g, n, r])
                qc[b, g, c] = sum[n](qp[b, g, n] * wuk[l, m, g, n, c])
                qr[b, g, p] = rope[p](sum[r](qn[b, r] * wqr[l, m, g, p, r]), at=T[b] - 1, layout=half)
                near[b, g, j] = sum[c](qc[b, g, c] * latents[l, m, b, picked[b, j], c])
                far[b, g, j] = sum[p](qr[b, g, p] * rotary[l, m, b, picked[b, j], p])
                z[b, g, j] = (near[b, g, j] + far[b, g, j]) * (N + P) ** -0.5
                a[b, g, j < K + 1] = softmax[j](where(j < K, z[b, g, j], sink[l, m, g]))
                oc[b, g, c] = sum[j < K](a[b, g, j] * latents[l, m, b, picked[b, j], c])
                o[b, g, v] = sum[c](oc[b, g, c] * wuv[l, m, g, v, c]) * sigmoid(sum[e](y[b, e] * wg[l, m, g, v, e]))
                h[b, s, e] = h[b, s, e] + post[b, s] * sum[g, v](o[b, g, v] * wo[l, m, e, g, v])
                y, post, qn = entered(h, l, m, 1)
                fit[b, x] = sigmoid(sum[e](y[b, e] * router[l, m, x, e]))
                expert[b, j] = topk[x](fit[b, x] + bias[l, m, x], J)
                share[b, j] = fit[b, expert[b, j]] / (sum[j](fit[b, expert[b, j]]) + 1e-20) * 2.827
                ug[b, j, f] = silu(min(sum[e](y[b, e] * gate[l, m, expert[b, j], f, e]), 10.0))
                ue[b, j, f] = ug[b, j, f] * clamp(sum[e](y[b, e] * up[l, m, expert[b, j], f, e]), -10.0, 10.0)
                ua[b, f] = silu(sum[e](y[b, e] * gate_all[l, m, f, e])) * sum[e](y[b, e] * up_all[l, m, f, e])
                own[b, e] = sum[j, f](share[b, j] * ue[b, j, f] * down[l, m, expert[b, j], e, f])
                h[b, s, e] = h[b, s, e] + post[b, s] * (own[b, e] + sum[f](ua[b, f] * down_all[l, m, e, f]))

    return h
