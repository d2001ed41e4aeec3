# ruff: noqa
from hetc import f32, hetero_pipeline, le, memory


@hetero_pipeline(grows={"T": 1})
def steps(x: f32["N"], log: memory(f32["T", "N"]), *, N=le(4), T=le(64)):
    def strange(a, b=1, *c):
        return a

    def endless(a):
        b = a

    with step.decode(x + 1):
        with prepare:
            append(log, x)
    with step.take(x, by=1):
        with prepare:
            append(log, x)
    with step(x):
        with prepare:
            append(log, x)
    with step.none(x):
        pass
    with step.good(x, grows={"T": 1}):
        with step.inner(x):
            append(log, x)
        with prepare:
            append(log, x)
            with when():
                y[n] = x[n]
            for i, j in N:
                y[n] = x[n]
            for i in N:
                y[n] = x[n]
            else:
                y[n] = x[n]
            for i in N:
                pass
    with apply:
        z[n] = x[n]
    for i in N:
        z[n] = x[n]
    return z
