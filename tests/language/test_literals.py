"""`inf`, `true` and `false` as values, executed every way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from xdsl.parser import Parser

from hetc.compiler.frontend import compile_source
from hetc.dialects.registry import new_context
from hetc.source import SourceFile
from tests.language.running import WAYS, session_of

TEXT = """
pipeline literals:
    dim D = 4
    input x: f32[D]
    memory best: f32[D] = -inf
    memory nearest: bf16[D] = inf
    memory fresh: bool[D] = true
    memory seen: bool[D] = false

    def masked(v, causal, far):
        o[d < D] = where(causal or d < 2, v[d], far)
        return o

    apply:
        big = inf
        on = true
        clipped[d] = min(max(x[d], -big), inf)
        above[d] = x[d] > -inf and true or false
        p[d] = softmax[d](where(d < 2, x[d], -inf))
        far = masked(x, false, inf)
        near = masked(x, true, inf)
        small[d < D] = exp(-inf) + 1 / inf + fp8(inf)
        half[d < D] = f16(-inf)
        counted[d] = true + x[d]
        was[d] = best[d]
        best[d] = max(best[d], x[d])
        nearest[d] = min(nearest[d], x[d])
        when on:
            seen[d] = seen[d] or fresh[d]
        fresh[d] = fresh[d] and x[d] > 1
    output clipped, above, p, far, near, small, half, counted, was, best, nearest, seen, fresh, big, on
"""
X = np.array([1.5, -2.0, 0.25, 8.0], np.float32)


@pytest.mark.parametrize("way", WAYS)
def test_they_are_what_they_say(way: str, tmp_path: Path) -> None:
    found = session_of(TEXT, way, {}, {}, tmp_path).call(x=X)
    weights = np.exp(X[:2]) / np.exp(X[:2]).sum()
    expected = {
        "clipped": X, "above": [True] * 4, "p": [*weights, 0, 0], "far": [1.5, -2, np.inf, np.inf], "near": X,
        "small": [448.0] * 4, "half": [-np.inf] * 4, "counted": 1 + X, "was": [-np.inf] * 4, "best": X, "nearest": X,
        "seen": [True] * 4, "fresh": X > 1, "big": np.inf, "on": True,
    }  # fmt: skip
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name].astype(np.float64), np.asarray(value, np.float64), 1e-6, err_msg=name)


def test_what_is_printed_is_read_again() -> None:
    module = compile_source(SourceFile("t.mp", TEXT))
    again = Parser(new_context(), str(module)).parse_module()
    assert str(again) == str(module)
