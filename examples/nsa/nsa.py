"""Native sparse attention: one decode step of one layer of the paper's 27B model, the same pipeline as nsa.mp.

The body is read as equations, not executed: its indices are names that Python does not know.
"""
# ruff: noqa: F821

from hetc import bf16, f32, hetero_pipeline, le, memory, weight


@hetero_pipeline(platform="mi210+u55c", grows={"T": 1})
def nsa(
    x: bf16["B", "E"],  # the new token
    wq: weight(bf16["H", "G", "D", "E"]),
    wo: weight(bf16["E", "H", "G", "V"]),
    wk: weight(bf16[3, "H", "D", "E"]),  # the branches have keys and values of their own
    wv: weight(bf16[3, "H", "V", "E"]),
    wg: weight(bf16[3, "H", "G", "E"]),  # gates
    bg: weight(f32[3, "H", "G"]),
    place_k: weight(f32["H", "L", "D"]),  # of a token in its compressed block
    place_v: weight(f32["H", "L", "V"]),
    k1: weight(bf16["H", "F", "L", "D"]),
    k2: weight(bf16["H", "D", "F"]),
    v1: weight(bf16["H", "F", "L", "V"]),
    v2: weight(bf16["H", "V", "F"]),
    recent_k: memory(bf16["B", "L", "H", "D"]),  # of the last L tokens, to be compressed
    recent_v: memory(bf16["B", "L", "H", "V"]),
    short_k: memory(bf16["B", "C", "H", "D"]),  # compressed
    short_v: memory(bf16["B", "C", "H", "V"]),
    keys: memory(bf16["B", "T", "H", "D"]),  # to select from
    values: memory(bf16["B", "T", "H", "V"]),
    window_k: memory(bf16["B", "W", "H", "D"]),
    window_v: memory(bf16["B", "W", "H", "V"]),
    *,
    B=le(64),  # sequences
    T=le(131_072, per="B"),  # tokens in memory, each sequence its own number
    E=2560,  # hidden size of the model
    H=4,  # key-value heads, and query heads of each
    G=16,
    D=192,  # a head's key and its value
    V=128,
    L=32,  # tokens of a compressed block, and from the start of one to the next
    U=16,
    F=384,  # hidden size of the compression
    S=64,  # tokens of a selected block, U in one a whole number of times, as in L
    K=16,  # blocks selected: the first, the last two and the best of the others
    W=512,  # last tokens that the sliding branch sees
    C="(T - L) // U + 1",  # compressed blocks
    N="ceildiv(T, S)",  # blocks to select from, the last of them perhaps not full
):
    """Compressed, selected and sliding attention of grouped queries, summed by gates."""
    with prepare:
        q[b, h, g, d] = sum[e](x[b, e] * wq[h, g, d, e])
        k[i, b, h, d] = sum[e](x[b, e] * wk[i, h, d, e])
        v[i, b, h, c] = sum[e](x[b, e] * wv[i, h, c, e])
        gate[i, b, h, g] = sigmoid(sum[e](x[b, e] * wg[i, h, g, e]) + bg[i, h, g])
        qr[b, h, g, d] = rope[d](q[b, h, g, d], at=T[b] - 1, layout=half)
        ks[b, h, d] = rope[d](k[1, b, h, d], at=T[b] - 1, layout=half)
        vs[b, h, c] = v[1, b, h, c]
        append(keys, ks)
        append(values, vs)
        kw[b, h, d] = rope[d](k[2, b, h, d], at=T[b] - 1, layout=half)
        window_k[b, (T[b] - 1) % W, h, d] = kw[b, h, d]
        window_v[b, (T[b] - 1) % W, h, c] = v[2, b, h, c]

        # The last L tokens as one, by two layers; it counts where they are a block (equation 7).
        recent_k[b, (T[b] - 1) % L, h, d] = k[0, b, h, d]
        recent_v[b, (T[b] - 1) % L, h, c] = v[0, b, h, c]
        yk[b, h, f] = relu(sum[l, d](k1[h, f, l, d] * (recent_k[b, (T[b] + l) % L, h, d] + place_k[h, l, d])))
        yv[b, h, f] = relu(sum[l, c](v1[h, f, l, c] * (recent_v[b, (T[b] + l) % L, h, c] + place_v[h, l, c])))
        kc[b, h, d] = sum[f](k2[h, d, f] * yk[b, h, f])
        vc[b, h, c] = sum[f](v2[h, c, f] * yv[b, h, f])

    with relevancy:
        with when(T[b] >= L and (T[b] - L) % U == 0):
            short_k[b, C[b] - 1, h, d] = kc[b, h, d]
            short_v[b, C[b] - 1, h, c] = vc[b, h, c]
        p[b, h, g, n] = softmax[n](sum[d](q[b, h, g, d] * short_k[b, n, h, d]) / sqrt(D))
        oc[b, h, g, c] = sum[n](p[b, h, g, n] * short_v[b, n, h, c])
        # A block scores what the compressed blocks do that lie in it, over all heads of a group (equations 9 and 10).
        group[b, h, n] = sum[g](p[b, h, g, n])
        s[b, h, j < N] = sum[m < S // U, i < L // U](group[b, h, S // U * j + m - i])

    with retrieve:
        picked[b, h, r] = topk[j](where(j == 0 or j + 2 >= N[b], inf, s[b, h, j]), K)

    with apply:
        at[b, h, r < K * S] = S * picked[b, h, r // S] + r % S
        a[b, h, g, r] = softmax[r](sum[d](qr[b, h, g, d] * keys[b, at[b, h, r], h, d]) / sqrt(D))
        os[b, h, g, c] = sum[r](a[b, h, g, r] * values[b, at[b, h, r], h, c])
        z[b, h, g, w] = where(w < T[b], sum[d](qr[b, h, g, d] * window_k[b, w, h, d]) / sqrt(D))
        aw[b, h, g, w] = softmax[w](z[b, h, g, w])
        ow[b, h, g, c] = sum[w](aw[b, h, g, w] * window_v[b, w, h, c])
        near[b, h, g, c] = gate[1, b, h, g] * os[b, h, g, c] + gate[2, b, h, g] * ow[b, h, g, c]
        o[b, h, g, c] = gate[0, b, h, g] * oc[b, h, g, c] + near[b, h, g, c]
        y[b, e] = sum[h, g, c](o[b, h, g, c] * wo[e, h, g, c])

    return bf16(y), picked
