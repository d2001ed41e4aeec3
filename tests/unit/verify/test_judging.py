"""What a kernel gave, judged: near ties of selections that it keeps to itself are no errors, anything else is."""

from __future__ import annotations

import numpy as np
import pytest

from hetc.backends.reference.compare_selection import may_differ
from hetc.backends.reference.selection import Selection
from hetc.compiler.driver import Options, compile_source_file
from hetc.compiler.verify.kernels import KernelJudge
from hetc.runtime.trace import KernelTrace
from hetc.source import SourceFile

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
    ("scores", "given", "ok", "unjudged"),
    [
        ([1.0, 2.0, 3.0, 0.0], [60, 40], True, False),
        ([1.0, 2.0, 3.0, 0.0], [40, 60], False, False),
        ([1.0, 3.0, np.nextafter(np.float32(3), np.float32(4)), 0.0], [40, 60], True, True),
    ],
    ids=["right", "wrong", "near tie"],
)
def test_a_selection_inside_of_a_kernel(scores: list[float], given: list[int], ok: bool, unjudged: bool) -> None:
    module = compile_source_file(SourceFile("p.mp", FUSED), Options("mi210"), until="placed").placed
    judge = KernelJudge(module)
    (name,) = judge.kernels
    inputs = {"x": np.array(scores, np.float32), "y": np.array([10, 20, 30, 40], np.int32)}
    kernel = judge.kernels[name]
    arguments = tuple(inputs[value.name_hint or ""] for value in kernel.arguments)
    judge(KernelTrace("p", name, "gpu", "none", arguments, (np.array(given, np.int32),), {}))
    (row,) = judge.rows(["retrieve"])
    assert row.ok is ok and row.note.startswith("2 elements not judged" if unjudged else "" if ok else "2 of 2 differ")


def selection(scores: list[float], order: str, doubtful: list[bool] | None = None) -> Selection:
    array = np.array([scores])
    return Selection(
        array, np.ones(array.shape, bool), 2, order, np.abs(array), None if doubtful is None else np.array([doubtful])
    )


def test_what_may_be_selected_otherwise() -> None:
    near = np.nextafter(np.float32(3), np.float32(4))
    assert not may_differ(selection([1.0, 2.0, 3.0], "score"))
    assert may_differ(selection([1.0, 3.0, near], "score"))  # in another order
    assert not may_differ(selection([1.0, 3.0, near], "any"))
    assert may_differ(selection([3.0, 5.0, near], "any"))  # another one
    assert may_differ(selection([1.0, 2.0, 3.0], "any", [False, True, False]))
    assert not may_differ(selection([0.0, 0.0, 0.0], "index"))  # exact ties go to the lower index everywhere
