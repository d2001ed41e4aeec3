"""Retrieval in two stages, the same pipeline as rag_two_stage.mp.

The body is read as equations, not executed: its indices are names that Python does not know.
"""
# ruff: noqa: E741, F821

from hetc import bf16, f32, hetero_pipeline, i32, le, memory, weight


@hetero_pipeline(platform="mi210+u55c")
def rag_two_stage(
    text: i32["M", "P"],  # tokens, -1 behind the last
    query: i32["B", "Q"],
    vectors: f32["M", "H"],  # what `embed` makes of text
    vector: f32["B", "H"],  # and of query
    words: weight(f32["V", "H"]),
    places: weight(f32["S", "H"]),
    parts: weight(f32[2, "H"]),
    norm0: weight(f32[1, 1, 2, "H"]),  # gain and bias
    norms: weight(f32["L", 2, 2, "H"]),  # behind each half of a layer
    Wi: weight(f32["L", 3, "H", "A", "D"]),  # queries, keys, values
    bi: weight(f32["L", 3, "A", "D"]),
    Wo: weight(f32["L", "A", "D", "H"]),
    bo: weight(f32["L", "H"]),
    Wf: weight(f32["L", "H", "F"]),
    bf: weight(f32["L", "F"]),
    Wg: weight(f32["L", "F", "H"]),
    bg: weight(f32["L", "H"]),
    Wp: weight(f32["H", "H"]),
    bp: weight(f32["H"]),
    Wc: weight(f32["H"]),
    bc: weight(f32),
    embeddings: memory(bf16["N", "H"]),
    passages: memory(i32["N", "P"]),
    *,
    B=le(16),  # queries of a call
    M=le(256),  # passages of a call
    N=le(5_233_329),  # passages in memory
    Q=32,  # tokens of the longest query
    P=221,  # tokens of the longest passage
    S="Q + P + 3",  # tokens read at once
    C=100,  # candidates of a query
    K=10,  # passages that it gets
    R="B * C",  # queries with a candidate each
    V=30_522,  # tokens: 101 begins a text, 102 ends each part
    L=12,  # layers of either model
    H=768,  # hidden size
    A=12,  # attention heads
    D="H // A",  # size of one
    F=3072,  # size within a feed-forward
):
    """Embedding, inner product, top-k candidates, the cross-encoder's scores, top-k passages."""

    def norm(y, w, l, i):
        c[r, s, h] = y[r, s, h] - mean[j](y[r, s, j])
        z[r, s, h] = c[r, s, h] * rsqrt(mean[j](c[r, s, j] ** 2) + 1e-12) * w[l, i, 0, h] + w[l, i, 1, h]
        return z

    def encode(token, first, n):
        y[r, s, h] = words[token[r, s], h] + places[s, h] + parts[where(s < first[r], 0, 1), h]
        x = norm(y, norm0, 0, 0)
        for l in L:
            m[r, i < 3, s, a, d] = sum[h](x[r, s, h] * Wi[l, i, h, a, d]) + bi[l, i, a, d]
            e[r, a, s, t] = sum[d](m[r, 0, s, a, d] * m[r, 1, t, a, d]) / sqrt(D)
            p[r, a, s, t] = softmax[t](where(t < n[r], e[r, a, s, t]))
            o[r, s, a, d] = sum[t](p[r, a, s, t] * m[r, 2, t, a, d])
            y[r, s, h] = x[r, s, h] + sum[a, d](o[r, s, a, d] * Wo[l, a, d, h]) + bo[l, h]
            u = norm(y, norms, l, 0)
            g[r, s, f] = gelu(sum[h](u[r, s, h] * Wf[l, h, f]) + bf[l, f])
            y[r, s, h] = u[r, s, h] + sum[f](g[r, s, f] * Wg[l, f, h]) + bg[l, h]
            x = norm(y, norms, l, 1)
        return x

    with step.embed(text):
        with prepare:
            n[m] = count[p](text[m, p] >= 0) + 2
            token[m, s < S] = where(s == 0, 101, where(s < n[m] - 1, text[m, s - 1], where(s < n[m], 102)))
            x = encode(token, n, n)
            center[m, h] = mean[s](where(s < n[m], x[m, s, h]))
            embedding[m, h] = center[m, h] * rsqrt(sum[j](center[m, j] ** 2))
        return embedding

    with step.add(text, vectors, grows={"N": "M"}), prepare:
        append(passages, text)
        append(embeddings, vectors)

    with step.search(query, vector):
        with relevancy:
            s[b, n] = sum[h](vector[b, h] * embeddings[n, h])
        with retrieve:
            near[b, c] = topk[n](s[b, n], C)
        with apply:
            of[r < R] = near[r // C, r % C]
            first[r < R] = count[i](query[r // C, i] >= 0) + 2
            n[r] = first[r] + count[p](passages[of[r], p] >= 0) + 1
            token[r, s < S] = where(
                s == 0,
                101,
                where(
                    s < first[r] - 1,
                    query[r // C, s - 1],
                    where(
                        s == first[r] - 1, 102, where(s < n[r] - 1, passages[of[r], s - first[r]], where(s < n[r], 102))
                    ),
                ),
            )
            x = encode(token, first, n)
            pooled[r, h] = tanh(sum[j](x[r, 0, j] * Wp[j, h]) + bp[h])
            score[b, c] = where(near[b, c] >= 0, sum[h](pooled[C * b + c, h] * Wc[h]) + bc)
            best[b, k], rank[b, k] = topk[c](score[b, c], K, order=score)
            chosen[b, k] = near[b, rank[b, k]]
        return best, chosen, near
