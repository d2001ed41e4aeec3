# ruff: noqa
from hetc import f32, hetero_pipeline, le


@hetero_pipeline
def literals(inf: f32["D"], x: f32["D"], *, true=le(4), D=8):
    with prepare:
        inf[d] = x[d]
        a[d] = sum[true](x[d])
        b[d] = float("1.5")
        c[d] = float(x[d])
        e[d] = math.pi
        f[d] = x[d] + None
        false = x[0]
    return a
