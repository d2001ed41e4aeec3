"""Judging what each kernel did with what it received."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

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
from hetc.backends.reference.compare_selection import may_differ
from hetc.backends.reference.selection import Selection
from hetc.compiler.report import pipeline_of, stage_label
from hetc.compiler.verify.report import Row
from hetc.dialects.mp import SelectOp, TopkOp, enclosing_step
from hetc.dialects.task import KernelOp
from hetc.passes.partition.outline import attribute
from hetc.runtime.trace import KernelTrace, SparseArrays


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
            why = "a value is beyond f32's range, or a selection inside of the kernel is a near tie"
            return f"{self.unjudged} elements not judged: on the way to them {why}"
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
        hidden: dict[SSAValue, Selection] = {}
        expected = run_kernel(kernel, arguments, dict(trace.lengths), selected=selected, hidden=hidden)
        in_doubt = _made_of(kernel, [value for value, selection in hidden.items() if may_differ(selection)])
        for position, (value, output) in enumerate(zip(kernel.returned.values, trace.outputs, strict=True)):
            verdict, is_selection = self._judged(kernel, position, np.asarray(output), expected, selected)
            if not verdict.ok and value in in_doubt:
                # What the device selected is not known; its result cannot be told from a wrong one.
                verdict = Verdict(0.0, verdict.tolerance, True, unjudged=np.asarray(output).size)
            owner = value.owner
            assert isinstance(owner, Operation)
            self.stages[self._label(kernel, attribute(owner, "stage"))].add(verdict, selection=is_selection)

    def _label(self, kernel: KernelOp, stage: str) -> str:
        return stage_label(enclosing_step(kernel).sym_name.data, stage, self.several)

    def _labels(self, kernel: KernelOp) -> list[str]:
        return [self._label(kernel, stage.data) for stage in kernel.stages]

    def _judged(
        self, kernel: KernelOp, position: int, actual: np.ndarray, expected: list, selected: dict[int, np.ndarray]
    ) -> tuple[Verdict, bool]:
        """The verdict on a result, and whether it is a selection."""
        value, tensor = kernel.returned.values[position], expected[position]
        assert isinstance(tensor, Tensor)
        owner = value.owner
        if isinstance(owner, TopkOp) and value is owner.scores:
            picked = next((p for p, v in enumerate(kernel.returned.values) if v is owner.indices), None)
            if picked is not None:
                return compare_selected_scores(actual, selected[picked], expected[picked].selection), False
        return compare_tensor(actual, tensor), tensor.selection is not None

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
                )
            )
        return rows


def _made_of(kernel: KernelOp, values: Iterable[SSAValue]) -> set[SSAValue]:
    """The values of a kernel that these take part in."""
    found = set(values)
    for op in kernel.block.ops:
        if any(operand in found for inner in op.walk() for operand in inner.operands):
            found.update(op.results)
    return found


def _argument(item: np.ndarray | SparseArrays) -> np.ndarray | SparseMatrix:
    if isinstance(item, SparseArrays):
        return SparseMatrix.from_buffers(item.row_start, item.row_length, item.column, item.value, item.columns)
    return item
