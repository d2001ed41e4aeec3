# ruff: noqa
from hetc import f32, hetero_pipeline, le


class Group:
    if True:

        @hetero_pipeline
        def indented(x: f32["B", "D"], *, B=le(4), D=8):
            with prepare:
                y[b] = summ[d](
                    x[b, d] * größe[d],
                )
                text = "é" + x[b, 0]
            return y


indented = Group.indented
