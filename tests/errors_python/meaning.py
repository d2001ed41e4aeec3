# ruff: noqa
from hetc import f32, hetero_pipeline, le, memory


@hetero_pipeline(grows={"T": 1})
def meaning(x: f32["B", "D"], keys: memory(f32["B", "T", "D"]), *, B=le(4), T=le(64, per="B"), D=8):
    with prepare:
        a[b] = sum(x[b, 0])
        c[b] = summ[d](x[b, d])
        e[b] = sum[d](kyes[b, d] * x[b, d])
        f[b, i] = x[b, 0]
        g[b] = x[b]
        h[b] = exp(x[b, 0], layout=half)
        l[b] = x[b, 0] * WIDTH
        appendd(keys, x)
    return a, q, bfloat16(x)
