# ruff: noqa
from hetc import f32, hetero_pipeline, le, memory, ring, sparse, u8, weight


@hetero_pipeline
def annotations(
    a,
    b: 64,
    c: "bfloat[B]",
    d: weight(f32["D"], initial=1.0),
    e: memory(f32["D"], f32["D"]),
    f: memory(sparse(u8["D", "B"])),
    g: memory(f32["D"], start=0),
    h: f32["D +"],
    i: f32["B", "Q"],
    k: memory(ring(f32["D"], slots=4)),
    j: f32["D"] = 1,
    *rest,
    B=le(4),
    D=8,
    **more,
) -> f32:
    with prepare:
        y[i] = h[i]
    return y
