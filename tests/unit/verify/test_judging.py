"""What a kernel gave, judged: a selection that it keeps to itself may fall as near ties do, and in no other way."""

from __future__ import annotations

import numpy as np
import pytest

from hetc.backends.reference.compare_selection import another_selection
from hetc.backends.reference.selection import Selection
from hetc.compiler.driver import Options, compile_source_file
from hetc.compiler.verify import run
from hetc.compiler.verify.kernels import KernelJudge
from hetc.runtime.state import State
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


@pytest.mark.parametrize(("given", "ok"), [([60, 40], True), ([40, 60], True), ([60, 20], False)])
def test_a_selection_inside_of_a_kernel_in_any_order(given: list[int], ok: bool) -> None:
    module = compile_source_file(
        SourceFile("p.mp", FUSED.replace(", order=score", "")), Options("mi210"), until="placed"
    ).placed
    judge = KernelJudge(module)
    (name,) = judge.kernels
    inputs = {"x": np.array([1.0, 2.0, 3.0, 0.0], np.float32), "y": np.array([10, 20, 30, 40], np.int32)}
    arguments = tuple(inputs[value.name_hint or ""] for value in judge.kernels[name].arguments)
    judge(KernelTrace("p", name, "gpu", "none", arguments, (np.array(given, np.int32),), {}))
    (row,) = judge.rows(["retrieve"])
    assert row.ok is ok


SCORED = (
    FUSED.replace("at[j] = topk", "best[j], at[j] = topk")
    .replace(", order=score", "")
    .replace("output o", "output best")
)


@pytest.mark.parametrize(("given", "ok"), [([3, 2], True), ([2, 3], True), ([3, 1], False)])
def test_scores_of_a_selection_inside_of_a_kernel_in_any_order(given: list[float], ok: bool) -> None:
    """Only the scores leave the kernel: they follow what it may have selected."""
    module = compile_source_file(SourceFile("p.mp", SCORED), Options("mi210"), until="placed").placed
    judge = KernelJudge(module)
    (name,) = judge.kernels
    x = np.array([1.0, 2.0, 3.0, 0.0], np.float32)
    judge(KernelTrace("p", name, "gpu", "none", (x,), (np.array(given, np.float32),), {}))
    (row,) = judge.rows(["retrieve"])
    assert row.ok is ok


def test_what_may_be_selected_otherwise() -> None:
    def found(scores: list[float], order: str, doubtful: list[bool] | None = None) -> set[tuple[int, ...]]:
        array, rng = np.array([scores]), np.random.default_rng(1)
        doubt = None if doubtful is None else np.array([doubtful])
        selection = Selection(array, np.ones(array.shape, bool), 2, order, np.abs(array), doubt)
        return {tuple(another_selection(selection, rng)[0].tolist()) for _ in range(40)}

    assert found([1.0, 2.0, 3.0], "score") == {(2, 1)}
    assert found([1.0, 3.0, ABOVE_3], "score") == {(1, 2), (2, 1)}
    assert found([3.0, 5.0, ABOVE_3], "any") == {(1, 0), (0, 1), (1, 2), (2, 1)}
    assert found([1.0, 2.0, 3.0], "score", [False, False, True]) == {(2, 1), (1, 0)}
    assert found([0.0, 0.0, 0.0], "index") == {(0, 1)}  # exact ties go to the lower index everywhere


KEPT = """
pipeline p grows T by 1:
    dim T <= 8
    dim N = 4
    input x: i64[N]
    memory m: i64[N]
    memory grown: i64[T, N]
    apply:
        m[n] = x[n]
        append(grown, x)
    output m
"""


@pytest.mark.parametrize("memory", ["m", "grown"])
def test_integers_of_a_memory_are_compared_exactly(monkeypatch: pytest.MonkeyPatch, memory: str) -> None:
    """A float64 holds neither 2^62 + 1 nor the next."""
    compilation = compile_source_file(SourceFile("p.mp", KEPT), Options("mi210"))
    x = np.array([2**62 + 1, -(2**63), 2**32, 0])
    assert run(compilation, inputs={"x": x}).ok
    read = State.read

    def one_more(state: State, name: str, *, as_stored: bool = False) -> np.ndarray:
        held = read(state, name, as_stored=as_stored)
        return held + np.array([1, 0, 0, 0]) if name == memory and held.size else held

    monkeypatch.setattr(State, "read", one_more)
    report = run(compilation, inputs={"x": x})
    assert [row.note for row in report.rows if not row.ok] == [f"differs: {memory}"]


PICKED = FUSED.replace("y: i32", "y: i64").replace("2 * y", "y")


@pytest.mark.parametrize("apart", [0, 1])
def test_integers_that_a_near_tie_may_exchange_are_compared_exactly(apart: int) -> None:
    module = compile_source_file(SourceFile("p.mp", PICKED), Options("mi210"), until="placed").placed
    judge = KernelJudge(module)
    (name,) = judge.kernels
    y = np.array([2**62, 2**62 + 1, 2**62 + 2, 2**62 + 3])
    inputs = {"x": np.array([1, 3, ABOVE_3, 0], np.float32), "y": y}
    arguments = tuple(inputs[value.name_hint or ""] for value in judge.kernels[name].arguments)
    judge(KernelTrace("p", name, "gpu", "none", arguments, (y[[1, 2 + apart]],), {}))
    (row,) = judge.rows(["retrieve"])
    assert row.ok is not bool(apart)
