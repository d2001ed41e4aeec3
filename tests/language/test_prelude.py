"""Functions of the prelude, and a program's own over indices, against numpy, wherever they run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import special

from hetc.compiler.frontend import compile_source
from hetc.compiler.frontend.expand.prelude import prelude
from hetc.dialects.mp import ComputeOp, ReduceOp
from hetc.source import SourceFile
from tests.language.running import WAYS, session_of

ROW = {"axis": 1, "keepdims": True}
FORMULAS = {
    "softplus": ("softplus(x[b, d])", lambda x, y: np.logaddexp(x, 0)),
    "relu2": ("relu2(x[b, d])", lambda x, y: np.maximum(x, 0) ** 2),
    "leaky_relu": ("leaky_relu(x[b, d], 0.1)", lambda x, y: np.where(x > 0, x, 0.1 * x)),
    "clamp": ("clamp(x[b, d], -1, 0.5)", lambda x, y: np.clip(x, -1, 0.5)),
    "swiglu": ("swiglu(x[b, d], y[b, d])", lambda x, y: x * special.expit(x) * y),
    "geglu": ("geglu(x[b, d], y[b, d])", lambda x, y: x * special.ndtr(x) * y),
    "logsumexp": ("logsumexp[d](x[b, d]) + 0 * x[b, d]", lambda x, y: special.logsumexp(x, **ROW)),
    "var": ("var[d](x[b, d]) + 0 * x[b, d]", lambda x, y: x.var(**ROW)),
    "rmsnorm": ("rmsnorm[d](x[b, d] + y[b, d], 1e-6)", lambda x, y: _rmsnorm(x + y)),
    "layernorm": ("layernorm[d](x[b, d], 1e-5)", lambda x, y: (x - x.mean(**ROW)) / np.sqrt(x.var(**ROW) + 1e-5)),
    "l2norm": ("l2norm[d](x[b, d], 1e-12)", lambda x, y: x / np.sqrt((x**2).sum(**ROW) + 1e-12)),
}


def _rmsnorm(x: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x**2).mean(**ROW) + 1e-6)


def test_every_function_is_here() -> None:
    assert set(FORMULAS) == set(prelude())


@pytest.mark.parametrize("way", WAYS)
def test_what_they_give(way: str, tmp_path: Path) -> None:
    lines = [f"        r{number}[b, d] = {text}" for number, (text, _) in enumerate(FORMULAS.values())]
    results = ", ".join(f"r{number}" for number in range(len(FORMULAS)))
    head = "pipeline p:\n    dim B <= 4; dim D = 8\n    input x: f32[B, D]; input y: f32[B, D]\n    apply:\n"
    session = session_of(head + "\n".join(lines) + f"\n    output {results}\n", way, {"B": 3}, {}, tmp_path)
    rng = np.random.default_rng(3)
    x, y = (rng.normal(size=(3, 8), scale=3).astype(np.float32) for _ in range(2))
    x[0, 0], x[1, 1] = 80, -90
    found = session.call(x=x, y=y)
    for number, (name, (_, formula)) in enumerate(FORMULAS.items()):
        expected = np.broadcast_to(formula(x.astype(float), y.astype(float)), x.shape)
        np.testing.assert_allclose(found[f"r{number}"], expected, rtol=2e-5, atol=1e-5, err_msg=name)


EDGES = """
pipeline edges:
    dim B <= 4; dim N <= 8
    dim D = 4
    input x: f32[B, N]
    input w: f32[B, D]
    def share[i, j](v): return v / sum[i, j](v)
    def clamp(v, low, high): return v + low + high
    apply:
        none[b] = logsumexp[n](where(x[b, n] > 100, x[b, n]))
        all[b] = logsumexp[n](x[b, n] * 0 - inf)
        few[b] = logsumexp[d < 2](w[b, d])
        part[b, d] = share[b, d](w[b, d])
        own[b, d] = clamp(w[b, d], 1, 2)
        kept[b, d] = rmsnorm[d](where(d < 3, w[b, d]), 0)
    output none, all, few, part, own, kept
"""


@pytest.mark.parametrize("way", WAYS)
def test_edges(way: str, tmp_path: Path) -> None:
    """Over nothing, over -inf alone, up to a bound, over two indices, a function of its own, over what is absent."""
    session = session_of(EDGES, way, {"B": 2, "N": 3}, {}, tmp_path)
    rng = np.random.default_rng(4)
    x, w = rng.normal(size=(2, 3)).astype(np.float32), np.abs(rng.normal(size=(2, 4))).astype(np.float32)
    found = session.call(x=x, w=w)
    assert np.all(found["none"] == -np.inf) and np.all(found["all"] == -np.inf)
    np.testing.assert_allclose(found["few"], special.logsumexp(w[:, :2].astype(float), axis=1), rtol=1e-5)
    np.testing.assert_allclose(found["part"], w / w.sum(), rtol=1e-5)
    np.testing.assert_allclose(found["own"], w + 3, rtol=1e-6)
    expected = w[:, :3] / np.sqrt((w[:, :3] ** 2).mean(1, keepdims=True))
    np.testing.assert_allclose(found["kept"], np.pad(expected, ((0, 0), (0, 1))), rtol=1e-5)


def test_what_is_the_same_along_an_index_is_worked_out_once() -> None:
    text = "pipeline p:\n    dim B <= 4; dim D = 8\n    input x: f32[B, D]\n    apply:\n"
    module = compile_source(SourceFile("p.mp", text + "        y[b, d] = layernorm[d](x[b, d], 1e-5)\n    output y\n"))
    statements = [op for op in module.walk() if isinstance(op, ComputeOp)]
    reductions = [[inner for inner in op.walk() if isinstance(inner, ReduceOp)] for op in statements]
    assert [len(found) for found in reductions] == [1, 1, 0]  # the mean, the variance, the values
