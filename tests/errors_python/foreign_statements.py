# ruff: noqa
from hetc import f32, hetero_pipeline, le


@hetero_pipeline
def foreign_statements(x: f32["B", "D"], *, B=le(4), D=8):
    import math

    y = 1
    with prepare:
        if D > 4:
            z[b] = x[b, 0]
        while True:
            pass
        for l in D:
            pass
        assert D
        raise ValueError
        del x
        global q
        try:
            pass
        finally:
            pass

        def f(a):
            return a

        class C:
            pass

        return z
    print(x)
