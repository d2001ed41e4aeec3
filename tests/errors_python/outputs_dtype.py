# ruff: noqa
from hetc import f32, hetero_pipeline, le


@hetero_pipeline
def outputs_dtype(x: f32["B", "D"], *, B=le(4), D=8):
    """What it does."""
    with prepare:
        y[b, d] = 2 * x[b, d]
    return bfloat16(y), y
    "text"
