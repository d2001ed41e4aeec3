"""The model of MemAgent (arXiv 2507.02259), the same pipeline as memagent.mp.

The body is read as equations, not executed: its indices are names that Python does not know.
"""
# ruff: noqa: E741, F821

from hetc import bf16, f32, hetero_pipeline, i8, i32, le, memory, weight


@hetero_pipeline(platform="mi210+u55c")
def memagent(
    prompt: i32["B", "C"],
    token: i32["B", "A"],
    embed: weight(i8["V", "E"]),
    embed_scale: weight(f32["V"]),
    gain1: weight(f32["L", "E"]),  # before attention
    gain2: weight(f32["L", "E"]),  # before SwiGLU
    gain3: weight(f32[1, "E"]),  # before the head
    wq: weight(i8["L", "H", "G", "D", "E"]),
    wq_scale: weight(f32["L", "H", "G", "D"]),
    wq_bias: weight(f32["L", "H", "G", "D"]),
    wk: weight(i8["L", "H", "D", "E"]),
    wk_scale: weight(f32["L", "H", "D"]),
    wk_bias: weight(f32["L", "H", "D"]),
    wv: weight(i8["L", "H", "D", "E"]),
    wv_scale: weight(f32["L", "H", "D"]),
    wv_bias: weight(f32["L", "H", "D"]),
    wo: weight(i8["L", "E", "H", "G", "D"]),
    wo_scale: weight(f32["L", "E"]),
    gate: weight(i8["L", "F", "E"]),
    gate_scale: weight(f32["L", "F"]),
    up: weight(i8["L", "F", "E"]),
    up_scale: weight(f32["L", "F"]),
    down: weight(i8["L", "E", "F"]),
    down_scale: weight(f32["L", "E"]),
    head: weight(i8["V", "E"]),
    head_scale: weight(f32["V"]),
    keys: memory(bf16["L", "B", "T", "H", "D"]),
    values: memory(bf16["L", "B", "T", "H", "D"]),
    *,
    B=le(64),  # sequences
    T=le(8192, per="B"),  # tokens in memory, each sequence its own number
    C=le(1024, per="B"),  # tokens that a call of prefill reads
    A=le(1, per="B"),  # a token that a call of decode reads; none of a sequence that has ended
    L=28,  # layers
    H=4,  # key-value heads
    G=7,  # query heads of each
    D=128,  # their size
    E=3584,  # hidden size of the model
    F=18_944,  # hidden size of SwiGLU
    V=152_064,  # vocabulary
):
    """A decoder-only transformer over a key-value memory, its weights int8 with a scale for each output channel."""

    def norm(x, gain, l):
        r[b, c] = rsqrt(mean[e](x[b, c, e] ** 2) + 1e-6)
        y[b, c, e] = bf16(x[b, c, e] * r[b, c] * gain[l, e])
        return y

    # The layers over tokens with embeddings x, the first at position `first`; their keys and values go to memory.
    def layers(x, first):
        z[b, c, e] = x[b, c, e]
        for l in L:
            y = norm(z, gain1, l)
            q[b, c, h, g, d] = sum[e](y[b, c, e] * wq[l, h, g, d, e]) * wq_scale[l, h, g, d] + wq_bias[l, h, g, d]
            k[b, c, h, d] = sum[e](y[b, c, e] * wk[l, h, d, e]) * wk_scale[l, h, d] + wk_bias[l, h, d]
            v[b, c, h, d] = sum[e](y[b, c, e] * wv[l, h, d, e]) * wv_scale[l, h, d] + wv_bias[l, h, d]
            q[b, c, h, g, d] = bf16(rope[d](q[b, c, h, g, d], at=first[b] + c, layout=half, base=1e6))
            k[b, c, h, d] = rope[d](k[b, c, h, d], at=first[b] + c, layout=half, base=1e6)
            append(keys[l], k)
            append(values[l], v)
            s[b, c, h, g, t] = sum[d](q[b, c, h, g, d] * keys[l, b, t, h, d]) * rsqrt(D)
            p[b, c, h, g, t] = bf16(softmax[t](where(t <= first[b] + c, s[b, c, h, g, t], -1e30)))
            o[b, c, h, g, d] = bf16(sum[t](p[b, c, h, g, t] * values[l, b, t, h, d]))
            z[b, c, e] = z[b, c, e] + sum[h, g, d](o[b, c, h, g, d] * wo[l, e, h, g, d]) * wo_scale[l, e]
            y = norm(z, gain2, l)
            w[b, c, f] = silu(sum[e](y[b, c, e] * gate[l, f, e]) * gate_scale[l, f])
            u[b, c, f] = bf16(w[b, c, f] * sum[e](y[b, c, e] * up[l, f, e]) * up_scale[l, f])
            z[b, c, e] = z[b, c, e] + sum[f](u[b, c, f] * down[l, e, f]) * down_scale[l, e]
        return z

    # Scores of the token that follows the one with hidden state x, and the likeliest.
    def answered(x):
        y = norm(x, gain3, 0)
        logits[b, v] = sum[e](y[b, 0, e] * head[v, e]) * head_scale[v]
        next[b] = argmax[v](logits[b, v])
        return logits, next

    with step.prefill(prompt, grows={"T": "C"}):
        with retrieve:
            x[b, c, e] = embed[prompt[b, c], e] * embed_scale[prompt[b, c]]
        with apply:
            first[b] = T[b] - C[b]
            z = layers(x, first)
            last[b, c < 1, e] = z[b, C[b] - 1 + c, e]
            logits, next = answered(last)
        return logits, next

    with step.decode(token, grows={"T": "A"}):
        with retrieve:
            x[b, c, e] = embed[token[b, c], e] * embed_scale[token[b, c]]
        with prepare:
            first[b] = T[b] - A[b]
            z = layers(x, first)
            logits, next = answered(z)
        return logits, next
