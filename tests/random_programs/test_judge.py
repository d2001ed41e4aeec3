"""The comparison of results that are in any order."""

from __future__ import annotations

import numpy as np
import pytest

from random_programs.generate import generate
from random_programs.judge import compare
from random_programs.tree import Tensor
from random_programs.twin_runtime import Values


@pytest.mark.parametrize("found, same", [([0.0, -0.25], True), ([-0.25, 0.0], True), ([-0.25, -0.25], False)])
def test_absent_scores_stand_among_the_others(found: list[float], same: bool) -> None:
    """Of two scores in any order one is absent, and stored as 0: more than the other, which is negative."""
    tensor = Tensor("anybest", ("K",), "f32", "made", "f", True, 1, 2)
    mismatch = compare(generate(0), 0, tensor, Values({(0,): (-0.25, 0.0)}), np.array(found), {})
    assert (mismatch is None) == same
