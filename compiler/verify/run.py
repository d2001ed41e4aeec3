"""Runs a compiled pipeline on drawn inputs and judges every kernel, output and memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hetc.compiler.driver import Compilation, Options, compile_source_file, write_directory
from hetc.compiler.report import pipeline_of, stage_label
from hetc.compiler.verify.draw import Draw, draw, stored_entries
from hetc.compiler.verify.kernels import KernelJudge
from hetc.compiler.verify.memories import MemoryJudge
from hetc.compiler.verify.report import NOT_CHECKED, Row, RunReport
from hetc.compiler.work_directory import WorkDirectory, reading
from hetc.runtime.program import HostProgram, load_program
from hetc.runtime.state import State
from hetc.source import SourceFile


def run(
    target: Compilation | Path,
    *,
    seed: int = 0,
    check: bool = True,
    progress: Callable[[str], None] = lambda text: None,
    calls: int = 2,
    style: str = "normal",
    extents: Mapping[str, int | list[int]] | None = None,
    largest: int = 192,
) -> RunReport:
    """Execute a compilation, or what a work directory holds, on inputs drawn from `seed`.

    Each step is called `calls` times on one state. With `check` every kernel is compared with the oracle run on the
    inputs that the kernel received, and every memory with what it must hold. style, extents, largest: see `draw`.
    Raises PipelineError where the program cannot run, DiagnosticError where a work directory cannot be read.
    """
    if isinstance(target, Path):
        return _execute(
            recompiled(WorkDirectory.open(target)), target, seed, check, progress, calls, style, extents, largest
        )
    with tempfile.TemporaryDirectory(prefix="hetc-run-") as folder:
        directory = Path(folder) / "work"
        write_directory(target, directory)
        return _execute(target, directory, seed, check, progress, calls, style, extents, largest)


def recompiled(directory: WorkDirectory) -> Compilation:
    """The compilation that a work directory came from, from its copy of the source and its options."""
    with reading(directory.root):
        options = Options(**directory.manifest["options"])
    return compile_source_file(SourceFile(directory.manifest["source"], directory.text(directory.source)), options)


def _execute(
    compilation: Compilation,
    directory: Path,
    seed: int,
    check: bool,
    progress: Callable[[str], None],
    calls: int,
    style: str,
    extents: Mapping[str, int | list[int]] | None,
    largest: int,
) -> RunReport:
    progress("building kernels")
    program = load_program(directory)
    pipeline = pipeline_of(compilation.checked)
    drawn = draw(pipeline, np.random.default_rng(seed), calls=calls, style=style, extents=extents, largest=largest)
    kernels, memories = KernelJudge(compilation.placed), MemoryJudge(compilation.placed)
    report = RunReport(backends=program.backends)

    def moved(trace: Any) -> None:
        report.bytes_moved += trace.bytes_moved

    program.on_transfer = moved
    if check:
        program.on_kernel = kernels
    state = prepare_state(program, drawn)
    for call in range(calls):
        for name in pipeline.steps:
            progress(f"call {call + 1} of {calls}: {name}")
            tensors = _tensors(program, name, drawn, call)
            before = memories.contents(state) if check else {}
            kernels.begin_call()
            lengths = {dim: values.copy() for dim, values in state.lengths.items()}
            given = _given_lengths(program, drawn)
            program.step(name)(state, given, **tensors)
            report.calls += 1
            if check:
                memories.judge(name, state, before, lengths, kernels.traces, tensors, given)
    progress("")
    several = len(pipeline.steps) > 1
    stages = [stage_label(row["step"], row["stage"], several) for row in compilation.report["stages"]]
    report.rows = kernels.rows(stages) if check else _unchecked(compilation, program)
    memory = memories.row()
    if memory is not None:
        report.rows.append(memory)
    return report


def prepare_state(program: HostProgram, drawn: Draw) -> State:
    """A state with the drawn memory contents and lengths."""
    needed = program.PIPELINE.state_dims
    state = program.new_state(**{name: drawn.capacities[name] for name in needed})
    for name, spec in program.PIPELINE.memories.items():
        along = next((dim for dim in spec.dims if dim in drawn.lengths), None)
        if along is None:
            state.load(name, drawn.memories[name])
        elif spec.stored_bound is not None:
            row, column, value = stored_entries(drawn.memories[name], int(spec.extents[0]), spec.element)
            state.load(name, (row, column, value), drawn.lengths[along])
        else:
            longest = int(drawn.lengths[along].max(initial=0))
            position = spec.extents.index(along)
            part = [slice(None)] * len(spec.extents)
            part[position] = slice(longest)
            state.load(name, drawn.memories[name][tuple(part)], drawn.lengths[along])
    return state


def _tensors(program: HostProgram, step: str, drawn: Draw, call: int) -> dict[str, np.ndarray]:
    given = {**drawn.weights, **(drawn.inputs[call] if drawn.inputs else {})}
    return {name: given[name] for name in program.PIPELINE.steps[step].takes}


def _given_lengths(program: HostProgram, drawn: Draw) -> dict[str, Any]:
    """Live extents of the dims that do not grow: a tensor's shape may not say them."""
    pipeline = program.PIPELINE
    given: dict[str, Any] = {}
    for name, dim in pipeline.dims.items():
        if dim.derived is None and name not in drawn.lengths and name in drawn.capacities:
            given[name] = drawn.capacities[name] if dim.per is None else drawn.ragged[name]
    return given


def _unchecked(compilation: Compilation, program: HostProgram) -> list[Row]:
    return [
        Row(row["stage"], row["device"], program.backends.get(row["device"], ""), None, None, None, True, NOT_CHECKED)
        for row in compilation.report["stages"]
    ]
