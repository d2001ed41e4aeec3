"""Which rows a step empties, by the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from hetc.backends.reference import run_step
from hetc.compiler.frontend import compile_source
from hetc.source import SourceFile

TEXT = """
pipeline p grows T by 1:
    dim B <= 4
    dim T <= 8 per B
    input x: f32[B]
    memory keys: f32[B, T]
    apply:
        append(keys, x)
        {first}
            clear(T)
        {second}
            clear(T)
        o[b] = x[b]
    output o
"""
ALL, SOME = "when 0 < 1:", "when x[b] > 1:"
NONE = "when 1 < 0:"


@pytest.mark.parametrize(
    ("first", "second", "cleared"),
    [
        (ALL, SOME, True),
        (SOME, ALL, True),
        (NONE, SOME, [False, True]),
        (SOME, NONE, [False, True]),
        (NONE, NONE, False),
    ],
)
def test_one_condition_is_for_every_row(first: str, second: str, cleared: object) -> None:
    """For those that the call is not about, too: what holds for all stays one bool beside what holds for some."""
    module = compile_source(SourceFile("p.mp", TEXT.format(first=first, second=second)))
    keys = np.zeros((2, 8), np.float32)
    result = run_step(module, "p", {"x": np.array([1.0, 2.0])}, {"keys": keys}, {"B": 2, "T": np.array([1, 1])})
    np.testing.assert_array_equal(result.cleared["T"], np.asarray(cleared))
    assert result.cleared["T"].ndim == np.ndim(cleared)
