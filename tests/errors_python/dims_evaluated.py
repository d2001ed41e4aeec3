# ruff: noqa
from hetc import f32, hetero_pipeline, le


@hetero_pipeline(grows=None)
def dims_evaluated(x: f32["B", "T", "D"], *, B=le(4), D="2 ** E", E=7, T=le(64, per="R"), H=2.5):
    with prepare:
        s[b, t] = sum[d](x[b, t, d])
    return s
