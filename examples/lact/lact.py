"""Large-chunk test-time training (arXiv 2505.23884), the same pipeline as lact.mp.

The body is read as equations, not executed: its indices are names that Python does not know.
"""
# ruff: noqa: F821

from hetc import bf16, bool, f32, hetero_pipeline, le, memory, weight


@hetero_pipeline(platform="mi210+u55c")
def lact(
    q: bf16["B", "L", "H", "D"],
    k: bf16["B", "L", "H", "D"],
    v: bf16["B", "L", "H", "D"],
    lr: f32["B", "L", 3, "H"],  # learning rates of each token, for each of the weights
    beta: f32["B", "L", "H"],  # momentum of each token; a chunk takes their mean
    fresh: bool["B"],  # sequences that begin
    start0: weight(f32["H", "F", "D"]),  # learned in training: what the fast weights of a sequence begin with
    start1: weight(f32["H", "D", "F"]),
    start2: weight(f32["H", "F", "D"]),
    W0: memory(f32["B", "H", "F", "D"]),  # a weight and its momentum
    M0: memory(f32["B", "H", "F", "D"]),
    W1: memory(f32["B", "H", "D", "F"]),
    M1: memory(f32["B", "H", "D", "F"]),
    W2: memory(f32["B", "H", "F", "D"]),
    M2: memory(f32["B", "H", "F", "D"]),
    *,
    B=le(64),  # sequences
    L=le(2048),  # tokens of the chunk
    H=4,  # heads, each a network of its own
    D=384,  # size of a query, key and value
    F=384,  # hidden size of the network
):
    """A SwiGLU network trained on key-value pairs while it is used: momentum, Muon, rows kept at their length."""

    def slope(g):  # of silu
        return sigmoid(g) * (1 + g * (1 - sigmoid(g)))

    # Newton-Schulz: a matrix with the singular vectors of g and singular values near 1, by Muon's quintic.
    def orthogonal(g):
        size[b, h] = sqrt(sum[i, j](g[b, h, i, j] ** 2)) + 1e-7
        x[b, h, i, j] = g[b, h, i, j] / size[b, h]
        with repeat(5):
            a[b, h, i, m] = sum[j](x[b, h, i, j] * x[b, h, m, j])
            c[b, h, i, m] = -4.7750 * a[b, h, i, m] + 2.0315 * sum[n](a[b, h, i, n] * a[b, h, n, m])
            x[b, h, i, j] = 3.4445 * x[b, h, i, j] + sum[m](c[b, h, i, m] * x[b, h, m, j])
        return x

    # A weight after its step, its rows as long as those of the weight that the sequence began with.
    def trained(w, momentum, start):
        x = orthogonal(momentum)
        y[b, h, i, j] = w[b, h, i, j] + x[b, h, i, j]
        now[b, h, i] = sqrt(sum[j](y[b, h, i, j] ** 2)) + 1e-5
        first[h, i] = sqrt(sum[j](start[h, i, j] ** 2))
        n[b, h, i, j] = y[b, h, i, j] / now[b, h, i] * first[h, i]
        return n

    with step.begin(fresh), prepare, when(fresh[b]):
        W0[b, h, f, d] = start0[h, f, d]
        M0[b, h, f, d] = 0
        W1[b, h, d, f] = start1[h, d, f]
        M1[b, h, d, f] = 0
        W2[b, h, f, d] = start2[h, f, d]
        M2[b, h, f, d] = 0

    with step.chunk(q, k, v, lr, beta):
        with apply:
            u[b, l, h, f] = silu(sum[d](W0[b, h, f, d] * q[b, l, h, d])) * sum[d](W2[b, h, f, d] * q[b, l, h, d])
            o[b, l, h, d] = sum[f](W1[b, h, d, f] * u[b, l, h, f])

        with relevancy:
            # The loss of a token is -f(k) . v: how it changes with what each weight makes of k.
            g[b, l, h, f] = sum[d](W0[b, h, f, d] * k[b, l, h, d])
            z[b, l, h, f] = sum[d](W2[b, h, f, d] * k[b, l, h, d])
            y[b, l, h, f] = silu(g[b, l, h, f]) * z[b, l, h, f]
            dy[b, l, h, f] = sum[d](W1[b, h, d, f] * v[b, l, h, d])
            dz[b, l, h, f] = dy[b, l, h, f] * silu(g[b, l, h, f])
            dg[b, l, h, f] = dy[b, l, h, f] * z[b, l, h, f] * slope(g[b, l, h, f])

        with prepare:
            m[b, h] = mean[l](beta[b, l, h])
            M0[b, h, f, d] = m[b, h] * M0[b, h, f, d] + sum[l](dg[b, l, h, f] * lr[b, l, 0, h] * k[b, l, h, d])
            M1[b, h, d, f] = m[b, h] * M1[b, h, d, f] + sum[l](v[b, l, h, d] * lr[b, l, 1, h] * y[b, l, h, f])
            M2[b, h, f, d] = m[b, h] * M2[b, h, f, d] + sum[l](dz[b, l, h, f] * lr[b, l, 2, h] * k[b, l, h, d])
            N0 = trained(W0, M0, start0)
            W0[b, h, f, d] = N0[b, h, f, d]
            N1 = trained(W1, M1, start1)
            W1[b, h, d, f] = N1[b, h, d, f]
            N2 = trained(W2, M2, start2)
            W2[b, h, f, d] = N2[b, h, f, d]

        return bf16(o)
