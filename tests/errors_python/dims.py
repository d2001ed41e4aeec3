# ruff: noqa
from hetc import f32, hetero_pipeline, le


@hetero_pipeline(grows={"T": 1, "T + 1": 2, "Q": 1})
def dims(
    x: f32["B", "T", "D"],
    *,
    A,
    B=le(4),
    C: f32["B"] = 8,
    D="2 ** E",
    E=7,
    F=le(4, 5),
    G=le(4, of="B"),
    T=le(64, per="B"),
    H="B",
    I=[1],
    J="x is",
):
    with prepare:
        s[b, t] = sum[d](x[b, t, d])
    return s
