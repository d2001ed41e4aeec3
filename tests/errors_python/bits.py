# ruff: noqa
from hetc import f32, hetero_pipeline, i32


@hetero_pipeline
def bits(x: f32["D"], n: i32["D"], *, D=8):
    with prepare:
        a[d] = x[d] & 1
        b[d] = (n[d] > 0) | (x[d] > 0)
        c[d] = ~(n[d] > 0)
        e[d] = n[d] >> 32
        f[d] = n[d] ^ n[d] << 3
    return a, b, c, e, f
