# ruff: noqa
from hetc import f32, hetero_pipeline, le


@hetero_pipeline
def foreign_operators(x: f32["B", "D"], *, B=le(4), D=8):
    with prepare:
        g[b] = x @ x
        h[b] = x[b, 0] is x[b, 1]
        i[b] = x[b, 0] in x
        j[b] = x[b, 0] if x[b, 0] > 0 else 0
        k[b] = sum(x[b, d] for d in D)
        l[b] = [x[b, 0]]
        m[b] = (lambda: x)(b)
        n[b] = x[b, 0].exp()
        o[b] = "text"
        q[b] = None
        r[b] = 1j
        s[b] = (t := x[b, 0])
        u[b] = exp(*x)
        v[b] = exp(**x)
        w[b] = f"{x}"
        y[b] = {x: x}
        z[b] = x[b, 0], x[b, 1]
    return z
