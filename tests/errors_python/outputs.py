# ruff: noqa
from hetc import f32, hetero_pipeline, le


@hetero_pipeline
def outputs(x: f32["B", "D"], *, B=le(4), D=8):
    with prepare:
        y[b, d] = 2 * x[b, d]
    return y, y + 1, f32(y + 1)
