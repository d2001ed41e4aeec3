"""What a kernel gave, judged: a selection that it keeps to itself may fall as near ties do, and in no other way."""

from __future__ import annotations

import numpy as np
import pytest

from hetc.backends.reference.compare_selection import another_selection
from hetc.backends.reference.selection import Selection
from hetc.compiler.driver import Options, compile_source_file
from hetc.compiler.verify.kernels import KernelJudge
from hetc.runtime.trace import KernelTrace
from hetc.source import SourceFile

ABOVE_3 = float(np.nextafter(np.float32(3), np.float32(4)))

FUSED = """
pipeline p:
    dim N = 4
    dim K = 2
    input x: f32[N]
    input y: i32[N]
    retrieve:
        at[j] = topk[n](x[n], K, order=score)
        o[j] = 2 * y[at[j]]
    output o
"""


@pytest.mark.parametrize(
    ("scores", "given", "ok"),
    [
        ([1.0, 2.0, 3.0, 0.0], [60, 40], True),
        ([1.0, 2.0, 3.0, 0.0], [40, 60], False),
        ([1.0, 3.0, ABOVE_3, 0.0], [60, 40], True),
        ([1.0, 3.0, ABOVE_3, 0.0], [40, 60], True),
        ([1.0, 3.0, ABOVE_3, 0.0], [40, 61], False),
        ([1.0, 3.0, ABOVE_3, 0.0], [60, 20], False),
        ([3.0, 5.0, ABOVE_3, 0.0], [40, 20], True),
        ([3.0, 5.0, ABOVE_3, 0.0], [40, 80], False),
    ],
)
def test_a_selection_inside_of_a_kernel(scores: list[float], given: list[int], ok: bool) -> None:
    module = compile_source_file(SourceFile("p.mp", FUSED), Options("mi210"), until="placed").placed
    judge = KernelJudge(module)
    (name,) = judge.kernels
    inputs = {"x": np.array(scores, np.float32), "y": np.array([10, 20, 30, 40], np.int32)}
    kernel = judge.kernels[name]
    arguments = tuple(inputs[value.name_hint or ""] for value in kernel.arguments)
    judge(KernelTrace("p", name, "gpu", "none", arguments, (np.array(given, np.int32),), {}))
    (row,) = judge.rows(["retrieve"])
    assert row.ok is ok and ("differ; at" in row.note) is not ok


def test_what_may_be_selected_otherwise() -> None:
    def found(scores: list[float], order: str, doubtful: list[bool] | None = None) -> set[tuple[int, ...]]:
        array, rng = np.array([scores]), np.random.default_rng(1)
        doubt = None if doubtful is None else np.array([doubtful])
        selection = Selection(array, np.ones(array.shape, bool), 2, order, np.abs(array), doubt)
        return {tuple(another_selection(selection, rng)[0].tolist()) for _ in range(40)}

    assert found([1.0, 2.0, 3.0], "score") == {(2, 1)}
    assert found([1.0, 3.0, ABOVE_3], "score") == {(1, 2), (2, 1)}
    assert found([3.0, 5.0, ABOVE_3], "any") == {(1, 0), (1, 2)}
    assert found([1.0, 2.0, 3.0], "score", [False, False, True]) == {(2, 1), (1, 0)}
    assert found([0.0, 0.0, 0.0], "index") == {(0, 1)}  # exact ties go to the lower index everywhere
