# ruff: noqa
from hetc import f32, hetero_pipeline, le


@hetero_pipeline
def stages(x: f32["B", "D"], *, B=le(4), D=8):
    with prepar:
        a[b] = x[b, 0]
    with relevancy("fpga", "gpu"):
        a[b] = x[b, 0]
    with prepare as p:
        a[b] = x[b, 0]
    with repeat(5):
        a[b] = x[b, 0]
    with step.decode(x):
        a[b] = x[b, 0]
    with open("file"):
        a[b] = x[b, 0]
    with retrieve:
        with relevancy:
            a[b] = x[b, 0]
        with when(D > 4):
            a[b] = x[b, 0]
        with repeat():
            a[b] = x[b, 0]
        with repet(5):
            a[b] = x[b, 0]
        with repeat:
            a[b] = x[b, 0]
    return a
