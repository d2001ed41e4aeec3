# ruff: noqa
from hetc import f32, hetero_pipeline, le


@hetero_pipeline
async def asynchronous(x: f32["B", "D"], *, B=le(4), D=8):
    with prepare:
        y[b, d] = await x[b, d]
    async with retrieve:
        pass
    return y
