# ruff: noqa
from hetc import f32, hetero_pipeline, le


@hetero_pipeline
def functions(x: f32["B", "D"], *, B=le(4), D=8):
    with prepare:
        a[b] = sum(x[b, 0])
        c[b] = summ[d](x[b, d])
        e[b] = x.exp[d](x)
        f[b] = sum[d + 1](x[b, d])
        g[b] = exp(x[b, 0], layout=half)
        h[b] = x[b, 0](1)
        i[b] = x[b][0]
        appendd(x, a)
    return a
