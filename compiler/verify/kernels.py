"""Judging what each kernel did with what it received."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue

from hetc.backends.reference import (
    SparseMatrix,
    Tensor,
    Verdict,
    compare_selected_scores,
    compare_tensor,
    run_kernel,
)
from hetc.backends.reference.compare import cropped
from hetc.backends.reference.compare_selection import another_selection
from hetc.backends.reference.tensors import SparseTensor, fill_of
from hetc.compiler.report import pipeline_of, stage_label
from hetc.compiler.verify.report import Row
from hetc.dialects.mp import SelectOp, TopkOp, enclosing_step
from hetc.dialects.task import KernelOp
from hetc.passes.partition.outline import attribute
from hetc.runtime.trace import KernelTrace, SparseArrays

Results = list[Tensor | SparseTensor]
OTHERS = 16
"""Runs of the oracle in which near ties fall as they may, where a result is not the expected one: of two that tie
each order is missed with a probability of 2^-16."""


@dataclass
class _StageVerdict:
    """The worst of a stage's values so far."""

    device: str
    backend: str
    worst: Verdict | None = None
    near_ties: int | None = None
    unjudged: int = 0
    notes: dict[str, None] = field(default_factory=dict)

    def add(self, verdict: Verdict, *, selection: bool) -> None:
        if self.worst is None or _severity(verdict) > _severity(self.worst):
            self.worst = verdict
        if selection:
            self.near_ties = (self.near_ties or 0) + verdict.near_ties
        self.unjudged += verdict.unjudged
        if verdict.note and not verdict.ok:
            self.notes.setdefault(verdict.note)

    @property
    def note(self) -> str:
        """What was wrong first, and how often something else was; else what could not be judged."""
        first, *others = [*self.notes] or [""]
        if not first and self.unjudged:
            return f"{self.unjudged} elements not judged: on the way to them a value is beyond f32's range"
        return f"{first}; {len(others)} more results are wrong" if others else first


def _severity(verdict: Verdict) -> tuple[bool, float]:
    if verdict.tolerance == 0:
        return (not verdict.ok, float("inf") if verdict.max_error else 0.0)
    return (not verdict.ok, verdict.max_error / verdict.tolerance)


class KernelJudge:
    """Compares every traced kernel with the oracle run on the very inputs that the kernel received."""

    def __init__(self, placed: ModuleOp) -> None:
        self.kernels = {op.sym_name.data: op for op in placed.walk() if isinstance(op, KernelOp)}
        self.several = len(pipeline_of(placed).steps) > 1
        self.stages: dict[str, _StageVerdict] = {}
        self.traces: dict[str, list[KernelTrace]] = {}
        """What each kernel did since `begin_call`."""

    def begin_call(self) -> None:
        self.traces = {}

    def __call__(self, trace: KernelTrace) -> None:
        kernel = self.kernels[trace.kernel]
        self.traces.setdefault(trace.kernel, []).append(trace)
        for stage in self._labels(kernel):
            self.stages.setdefault(stage, _StageVerdict(trace.device, trace.backend))
        arguments = [_argument(item) for item in trace.inputs]
        selected = {
            position: np.asarray(output)
            for position, (value, output) in enumerate(zip(kernel.returned.values, trace.outputs, strict=True))
            if isinstance(value.owner, TopkOp | SelectOp) and value is value.owner.indices
        }
        execute = partial(run_kernel, kernel, arguments, dict(trace.lengths), selected=selected)
        expected, others = execute(), None
        for position, (value, output) in enumerate(zip(kernel.returned.values, trace.outputs, strict=True)):
            actual, tensor = np.asarray(output), expected[position]
            assert isinstance(tensor, Tensor)
            verdict = self._verdict(kernel, value, actual, expected, selected)
            if not verdict.ok and any(isinstance(op, TopkOp | SelectOp) for op in kernel.block.ops):
                others = others or _other_results(execute)
                ways = others if tensor.selection is not None else [_nearest(expected, others, position, actual)]
                verdicts = (self._verdict(kernel, value, actual, way, selected) for way in ways)
                verdict = next((other for other in verdicts if other.ok), verdict)
            owner = value.owner
            assert isinstance(owner, Operation)
            label = self._label(kernel, attribute(owner, "stage"))
            self.stages[label].add(verdict, selection=tensor.selection is not None)

    def _label(self, kernel: KernelOp, stage: str) -> str:
        return stage_label(enclosing_step(kernel).sym_name.data, stage, self.several)

    def _labels(self, kernel: KernelOp) -> list[str]:
        return [self._label(kernel, stage.data) for stage in kernel.stages]

    @staticmethod
    def _verdict(
        kernel: KernelOp, value: SSAValue, actual: np.ndarray, expected: Results, selected: dict[int, np.ndarray]
    ) -> Verdict:
        returned, owner = list(kernel.returned.values), value.owner
        if isinstance(owner, TopkOp) and value is owner.scores and owner.indices in returned:
            picked = returned.index(owner.indices)
            return compare_selected_scores(actual, selected[picked], expected[picked].selection)  # type: ignore[union-attr, arg-type]
        return compare_tensor(actual, expected[returned.index(value)])  # type: ignore[arg-type]

    def rows(self, stages: Iterable[str]) -> list[Row]:
        """One row for each of `stages`; a stage without a result of its own was fused into a later one."""
        rows, kernel_of = [], {stage: kernel for kernel in self.kernels.values() for stage in self._labels(kernel)}
        for name in dict.fromkeys(stages):
            verdict = self.stages.get(name)
            if verdict is None:
                continue
            kernel = kernel_of[name]
            if verdict.worst is None:
                later = [stage for stage in self._labels(kernel) if stage != name]
                through = [other for other in later if self.stages[other].worst is not None]
                ok = all(self.stages[other].worst.ok for other in through)  # type: ignore[union-attr]
                note = f"fused: checked through {', '.join(through)}"
                rows.append(Row(name, verdict.device, verdict.backend, None, None, None, ok and bool(through), note))
                continue
            worst = verdict.worst
            rows.append(
                Row(
                    name,
                    verdict.device,
                    verdict.backend,
                    worst.max_error,
                    worst.tolerance,
                    verdict.near_ties,
                    worst.ok,
                    verdict.note,
                    verdict.unjudged,
                )
            )
        return rows


def _other_results(execute: Callable[..., Results]) -> list[Results]:
    """What the kernel gives where selections that it keeps for itself fall otherwise, each within tolerance."""
    rng = np.random.default_rng(0)
    return [execute(reselect=partial(another_selection, rng=rng)) for _ in range(OTHERS)]


def _nearest(expected: Results, others: list[Results], position: int, actual: np.ndarray) -> Results:
    """The expected results, in that at `position` each element as that of the others that lies nearest to it."""
    tensor = expected[position]
    assert isinstance(tensor, Tensor)
    for other in others if tensor.selection is None else ():
        found = other[position]
        assert isinstance(found, Tensor)
        got = cropped(actual, tensor.array.shape)
        closer = _distance(got, found) < np.nan_to_num(_distance(got, tensor), nan=np.inf)
        present = np.where(closer, found.present, tensor.present)
        size = None if tensor.magnitude is None else np.where(closer, found.magnitude, tensor.magnitude)  # type: ignore[arg-type]
        array = np.where(closer, found.array, tensor.array)
        everywhere = {frozenset(range(array.ndim)): present | ~tensor.inside}
        tensor = replace(tensor, array=array, conditions=everywhere, magnitude=size)
    return [*expected[:position], tensor, *expected[position + 1 :]]


def _distance(got: np.ndarray, expected: Tensor) -> np.ndarray:
    """How far each value is from the expected one, in float64; of integers 0 for equal ones only."""
    held = np.where(expected.present, expected.array, fill_of(expected.type.element))
    with np.errstate(invalid="ignore"):
        distance = np.abs(got.astype(np.float64) - held.astype(np.float64))
    return np.where(got == held, 0.0, np.maximum(distance, 1.0)) if held.dtype.kind in "iu" else distance


def _argument(item: np.ndarray | SparseArrays) -> np.ndarray | SparseMatrix:
    if isinstance(item, SparseArrays):
        return SparseMatrix.from_buffers(item.row_start, item.row_length, item.column, item.value, item.columns)
    return item
