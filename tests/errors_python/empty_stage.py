# ruff: noqa
from hetc import f32, hetero_pipeline, le


@hetero_pipeline
def empty_stage(x: f32["B", "D"], *, B=le(4), D=8):
    with prepare:
        pass
