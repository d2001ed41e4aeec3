# ruff: noqa
from hetc import f32, hetero_pipeline, le


@hetero_pipeline
def assignments(x: f32["B", "D"], *, B=le(4), D=8):
    with prepare:
        a[b] = c[b] = x[b, 0]
        x.y = 1
        exp(a)[0] = x[0, 0]
        [u, v] = x, x
        d[b]: f32 = x[b, 1]
        e[b] **= 2
        x[b, d]
        f[b, d] = x[b, :]
    return a
