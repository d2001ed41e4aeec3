# ruff: noqa
from hetc import f32, hetero_pipeline, le


@hetero_pipeline
def names(x: f32["B", "D"], *, B=le(4), D=8):
    with prepare:
        y[b] = sum[d](xs[b, d] * x[b, d])
        größe[b] = x[b, 0]
        z[b, i] = x[b, 0]
        w[b] = x[b]
        aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa[b] = x[
            b, 0
        ]
        v[b] = x[b, 0] * 123456789012345678901 + 1e999
    return y, q
