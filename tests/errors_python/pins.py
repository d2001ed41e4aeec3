# ruff: noqa
from hetc import f32, hetero_pipeline, le, memory


@hetero_pipeline(grows={"T": 1})
def pins(x: f32["B", "D"], keys: memory(f32["B", "T", "D"]), *, B=le(4), T=le(64, per="B"), D=8):
    with prepare(npu):
        y[b, d] = 2 * x[b, d]
    return y
