"""Titans, memory as context (arXiv 2501.00663), the same pipeline as titans.mp.

The body is read as equations, not executed: its indices are names that Python does not know.
"""
# ruff: noqa: F821

from hetc import bf16, bool, f32, hetero_pipeline, le, memory, weight


@hetero_pipeline(platform="mi210+u55c")
def titans(
    x: bf16["B", "L", "E"],  # a segment
    fresh: bool["B"],  # which sequences begin
    persistent: weight(bf16["P", "E"]),
    gate: weight(f32[3, "E"]),
    bias: weight(f32[3]),
    Wq: weight(bf16["E", "E"]),  # of the memory
    Wk: weight(bf16["E", "E"]),
    Wv: weight(bf16["E", "E"]),
    Aq: weight(bf16["E", "H", "D"]),  # of attention
    Ak: weight(bf16["E", "H", "D"]),
    Av: weight(bf16["E", "H", "D"]),
    Ao: weight(bf16["H", "D", "E"]),
    start1: weight(f32["F", "E"]),  # what M begins with
    start2: weight(f32["E", "F"]),
    M1: memory(f32["B", "F", "E"]),  # its layers
    M2: memory(f32["B", "E", "F"]),
    S1: memory(f32["B", "F", "E"]),  # past surprise
    S2: memory(f32["B", "E", "F"]),
    *,
    B=le(64),  # sequences
    L=le(128),  # tokens of the segment
    T="L + 1",
    P=16,  # persistent tokens
    C="P + 2 * L",  # all that is attended to
    E=1024,  # hidden size of the layer
    F=4096,  # hidden size of the memory
    H=16,  # attention heads
    D="E // H",
):
    """Read the memory, attend to [persistent | read | segment], let the memory learn what attention made of it."""

    def key(x, w):
        p[b, l, e] = silu(sum[i](x[b, l, i] * w[i, e]))
        y[b, l, e] = p[b, l, e] * rsqrt(sum[i](p[b, l, i] ** 2) + 1e-6)
        return y

    def heads(x, w):
        p[b, l, h, d] = silu(sum[e](x[b, l, e] * w[e, h, d]))
        y[b, l, h, d] = p[b, l, h, d] * rsqrt(sum[i](p[b, l, h, i] ** 2) + 1e-6)
        return y

    def read(q):
        z[b, l, f] = silu(sum[e](M1[b, f, e] * q[b, l, e]))
        y[b, l, e] = sum[f](M2[b, e, f] * z[b, l, f])
        return y

    def slope(g):  # of silu
        return sigmoid(g) * (1 + g * (1 - sigmoid(g)))

    with step.begin(fresh), prepare, when(fresh[b]):
        M1[b, f, e] = start1[f, e]
        S1[b, f, e] = 0
        M2[b, e, f] = start2[e, f]
        S2[b, e, f] = 0

    with step.segment(x):
        with retrieve:
            q = key(x, Wq)
            h = read(q)

        with apply:
            context[b, c < C, e] = concat[c](persistent[c, e], h[b, c, e], x[b, c, e])
            aq = heads(x, Aq)
            ak = heads(context, Ak)
            av[b, c, h, d] = silu(sum[e](context[b, c, e] * Av[e, h, d]))
            s[b, h, l, c] = sum[d](aq[b, l, h, d] * ak[b, c, h, d]) / sqrt(D)
            p[b, h, l, c] = softmax[c](where(c <= P + L + l, s[b, h, l, c]))
            a[b, l, h, d] = sum[c](p[b, h, l, c] * av[b, c, h, d])
            y[b, l, e] = sum[h, d](a[b, l, h, d] * Ao[h, d, e])

        with relevancy:
            # Surprise: how a token's loss changes with what each layer makes of its key.
            k = key(y, Wk)
            g[b, l, f] = sum[e](M1[b, f, e] * k[b, l, e])
            z[b, l, f] = silu(g[b, l, f])
            d2[b, l, e] = 2 * (sum[f](M2[b, e, f] * z[b, l, f]) - silu(sum[i](y[b, l, i] * Wv[i, e])))
            d1[b, l, f] = sum[e](M2[b, e, f] * d2[b, l, e]) * slope(g[b, l, f])

        with prepare:
            # S = eta S - theta surprise, M = (1 - alpha) M + S for each token. After t tokens, how much of M and
            # of S is left in the end: mm and ss; and what S will have added to M: ms.
            r[b, l, n] = sigmoid(sum[e](y[b, l, e] * gate[n, e]) + bias[n])  # alpha, eta, theta
            mm[b, t < T] = prod[j](where(j >= t, 1 - r[b, j, 0]))
            ss[b, t < T] = prod[j](where(j >= t, r[b, j, 1]))
            ms[b, t < T] = sum[u](where(u >= t and u > 0, mm[b, u] * prod[j](where(t <= j < u, r[b, j, 1]))))
            wm[b, l] = ms[b, l + 1] * r[b, l, 2]
            ws[b, l] = ss[b, l + 1] * r[b, l, 2]
            M1[b, f, e] = mm[b, 0] * M1[b, f, e] + ms[b, 0] * S1[b, f, e] - sum[l](wm[b, l] * d1[b, l, f] * k[b, l, e])
            M2[b, e, f] = mm[b, 0] * M2[b, e, f] + ms[b, 0] * S2[b, e, f] - sum[l](wm[b, l] * d2[b, l, e] * z[b, l, f])
            S1[b, f, e] = ss[b, 0] * S1[b, f, e] - sum[l](ws[b, l] * d1[b, l, f] * k[b, l, e])
            S2[b, e, f] = ss[b, 0] * S2[b, e, f] - sum[l](ws[b, l] * d2[b, l, e] * z[b, l, f])

        with apply:
            qy = key(y, Wq)
            m = read(qy)
            o[b, l, e] = y[b, l, e] * sigmoid(m[b, l, e])

        return bf16(o)
