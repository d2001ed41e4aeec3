"""Shrunk random programs that were once wrong, on the oracle before and after normalising, by hand-made numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.context import Context

from hetc.backends.reference import run_step
from hetc.compiler.frontend import compile_source
from hetc.passes.registry import load
from hetc.source import SourceFile
from random_programs.oracle import NORMALIZE

FOLDER = Path(__file__).parent / "regressions"
INFINITY = np.inf

# name: (inputs and memories, live extents, expected outputs)
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "merged_read": ({"w": [1.0]}, {"B": 2, "T": [1, 3]}, {"kept": [[-1, -1], [-1, -1]]}),
    "both_branches": (
        {"x": [1.0, 2.0], "y": 3.0, "log": [0.0, 0.0]},
        {"N": 2},
        {"direct": -INFINITY, "through": -INFINITY},
    ),
    "empty_extent": (
        {"x": np.ones((2, 3)), "y": np.zeros(0), "log": np.zeros(0)},
        {"B": 2, "T": [1, 3], "N": 0, "M": 0},
        {"s": np.zeros((2, 3, 0)), "total": [0.0, 0.0]},
    ),
    "inner_axes": (
        # x > 0: y's last row [1, 5] has its largest at 1, z[1] = 7; otherwise the first place, z[0] = 3.
        {"x": [[1.0, -1.0], [-1.0, -1.0]], "y": [[0.0, 0.0], [0.0, 0.0], [1.0, 5.0]], "z": [3.0, 7.0]},
        {"B": 2, "T": [2, 1]},
        {"s": [7.0, 3.0]},
    ),
    # Three appends so far: both slots are written, and places -2, -1, 2 and 3 are none.
    "age_of_no_slot": (
        {"x": 1.0, "log": [0.0, 0.0], "log_count": 3},
        {},
        {"before": 1, "after": 2},
    ),
    # over(2) = 2 + 4 + 6 = 12, over(12) = 72; the place is 1, the condition holds for the second element alone.
    "calls_everywhere": (
        {"x": 2.0, "y": [1.0, 2.0, 3.0], "log": [5.0, 6.0, 7.0], "log2": [0.0, 0.0, 0.0]},
        {},
        {"r": 72.0, "log": [5.0, 72.0, 7.0], "log2": [0.0, 1.0, 0.0], "best": 1},
    ),
    "scalar_sum": ({"x": -1.0, "log": 5}, {}, {"log": 5}),
    "row_of_an_index": ({"x": np.ones((2, 4))}, {"B": 2, "T": [4, 2], "P": [2, 1]}, {"s": [2.0]}),
    "ended_in_a_loop": ({"x": 2.0}, {}, {"s": 10.0}),
    # y[d * 3] is in range for d = 0 and 1; N is empty, so the maximum over k has no elements there.
    "confined_predicate": (
        {"x": np.ones(0), "y": [1.0, 2.0, 3.0, 4.0]},
        {"N": 0},
        {"most": [-INFINITY, -INFINITY, 0.0, 0.0, 0.0, 0.0]},
    ),
    "coalesce_of_nothing": ({"w": [1.0, 2.0], "v": [0.0]}, {"B": 1}, {"p": [[0.5, 0.5]]}),
    # Of four picks one is none; all answers are the same.
    "coalesce_of_scores": (
        {"y": [[-1.5, 1.0]], "flag": [[True, False, False, False]]},
        {"B": 1, "T": 2},
        {"s": [[0.5, 0.5]]},
    ),
    "coalesce_of_picks": ({"x": [[1.0, 1.0, 1.0]]}, {"B": 1}, {"p": [[0.25] * 4], "q": [[0.25] * 4]}),
    # 1 * 1 + 3 * 2 and 1 * 0 + 3 * -1, and the mean of 1 and 3.
    "index_with_the_name_of_a_local": (
        {"x": [[1.0, 3.0]], "w": [[1.0, 2.0], [0.0, -1.0]]},
        {"B": 1},
        {"o": [6.0]},
    ),
    "out_of_range_for_all": (
        {"x": [1.0, 2.0], "log": [[1.0], [2.0]]},
        {"N": 1},
        {"r": False, "s": True, "p": [1, 0]},
    ),
    "folded_types": ({"x": 3.0}, {}, {"r": [1.0, 1.0]}),
    # Absence ends at the memory: both passes count 2, the first of them over the 0 that is stored.
    "layer_of_absent": ({"y": [1.0, 9.0], "log": [0.0, 0.0]}, {}, {"seen": 4}),
    "scalar_product": ({"x": [1.0, 2.0, 3.0], "y": [1.0, 0.5, 2.0]}, {}, {"r": 8.0}),
    "update_with_reduction": (
        # Both writes go to place 1, the one from e = 1 stays: of x[0, 1] and x[0, 2], absent, one is not above 0.
        {"x": [[-1.0, -2.0]], "log": [[1, 1]]},
        {"B": 1},
        {"log": [[1, 1]]},
    ),
    "guard_axes": (
        # n = 0: the first positive of y is at 2; n = 1: y[1 + 1] at 1; n = 2: y[0 + 2] at 0; n = 3: none, absent.
        {"x": [10.0, 10.0, 10.0, 10.0], "y": [-1.0, -1.0, 1.0], "w": [1.0, 2.0, 4.0]},
        {"N": 4},
        {"s": [14.0, 12.0, 11.0, 0.0]},
    ),
}


def test_every_program_has_numbers() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.mp")) == sorted(CASES)


@pytest.mark.parametrize("passes", [(), NORMALIZE], ids=["plain", "normalized"])
@pytest.mark.parametrize("name", CASES)
def test_a_program_that_was_wrong(name: str, passes: tuple[str, ...]) -> None:
    given, extents, expected = CASES[name]
    module = compile_source(SourceFile(f"{name}.mp", (FOLDER / f"{name}.mp").read_text()))
    for flag in passes:
        load(flag)().apply(Context(), module)
    module.verify()
    dims = {dim: np.array(size) if isinstance(size, list) else size for dim, size in extents.items()}
    arrays = {key: np.asarray(value) for key, value in given.items()}
    inputs = {key: value for key, value in arrays.items() if not key.startswith("log")}
    memories = {key: value for key, value in arrays.items() if key.startswith("log")}
    result = run_step(module, "regression", inputs, memories, dims, strict=bool(passes))
    assert result.outputs.keys() == expected.keys()
    for output, value in expected.items():
        np.testing.assert_array_equal(result.outputs[output], value, err_msg=output)
