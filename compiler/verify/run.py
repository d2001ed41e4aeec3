"""Runs a compiled pipeline on drawn inputs and judges every kernel, output and memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetc.compiler.driver import Compilation, Options, compile_source_file, write_directory
from hetc.compiler.report import pipeline_of, stage_label
from hetc.compiler.verify.draw import Draw, draw, stored_entries
from hetc.compiler.verify.extents import Extents
from hetc.compiler.verify.given import DEFAULT_CALLS, given_draw
from hetc.compiler.verify.kernels import KernelJudge
from hetc.compiler.verify.memories import MemoryJudge
from hetc.compiler.verify.report import NOT_CHECKED, Row, RunReport
from hetc.compiler.verify.room import available_bytes, check_room, long_run
from hetc.compiler.work_directory import WorkDirectory, reading
from hetc.devices import device_kind
from hetc.runtime.devices import ANY
from hetc.runtime.program import HostProgram, load_program
from hetc.runtime.state import State
from hetc.source import SourceFile


def run(
    target: Compilation | Path,
    *,
    seed: int = 0,
    check: bool = True,
    progress: Callable[[str], None] = lambda text: None,
    calls: int | None = None,
    style: str = "normal",
    extents: Mapping[str, int | list[int]] | None = None,
    largest: int = 192,
    inputs: Mapping[str, NDArray] | None = None,
    warn: Callable[[str], None] = lambda text: None,
    mode: str = ANY,
) -> RunReport:
    """Execute a compilation, or what a work directory holds, on `inputs` (see `given`) or on what is drawn from `seed`.

    Each step is called `calls` times (2, or as `inputs` say) on one state. With `check` every kernel is compared with
    the oracle run on the inputs that the kernel received, and every memory with what it must hold. style, extents,
    largest: see `draw`. mode: which devices to open (see `open_device`). warn is told of a run that will be long.
    Raises PipelineError where the program cannot run, DiagnosticError where a work directory or the inputs cannot be
    used, or where the machine has too little memory.
    """
    compilation = recompiled(WorkDirectory.open(target)) if isinstance(target, Path) else target

    # Devices that are opened are known later: a kind that is everywhere is the only one that surely is none.
    emulated = any(not device_kind(row["device"]).everywhere for row in compilation.report["stages"])

    def check_extents(found: Extents, count: int) -> None:
        check_room(compilation.checked, found, count, check, available_bytes())
        long = long_run(compilation.checked, found, count, emulated)
        if long is not None:
            warn(long)

    drawn = None
    if inputs is None:
        count = DEFAULT_CALLS if calls is None else calls
        rng, pipeline = np.random.default_rng(seed), pipeline_of(compilation.checked)
        options: dict[str, Any] = {"calls": count, "style": style, "extents": extents, "largest": largest}
        drawn = draw(pipeline, rng, before=lambda found: check_extents(found, count), **options)
    with _directory_of(target) as directory:
        progress("building kernels")
        program = load_program(directory, mode)
        if drawn is None:
            drawn, count = given_draw(program.PIPELINE, inputs or {}, calls)
            check_extents(drawn, count)
        return _execute(compilation, program, drawn, count, check, progress)


@contextmanager
def _directory_of(target: Compilation | Path) -> Iterator[Path]:
    """The work directory; one of its own, gone afterwards, for a compilation."""
    if isinstance(target, Path):
        yield target
        return
    with tempfile.TemporaryDirectory(prefix="hetc-run-") as folder:
        directory = Path(folder) / "work"
        write_directory(target, directory)
        yield directory


def recompiled(directory: WorkDirectory) -> Compilation:
    """The compilation that a work directory came from, from its copy of the source and its options."""
    with reading(directory.root):
        options = Options(**directory.manifest["options"])
    return compile_source_file(SourceFile(directory.manifest["source"], directory.text(directory.source)), options)


def _execute(
    compilation: Compilation,
    program: HostProgram,
    drawn: Draw,
    calls: int,
    check: bool,
    progress: Callable[[str], None],
) -> RunReport:
    pipeline = pipeline_of(compilation.checked)
    kernels, memories = KernelJudge(compilation.placed), MemoryJudge(compilation.placed)
    report = RunReport(backends=program.backends, emulated=program.emulated, extents=_sizes(program, drawn))

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
            given = drawn.live[call]
            program.step(name)(state, given, **tensors)
            report.calls += 1
            if check:
                live = program.PIPELINE.with_derived(given)
                memories.judge(name, state, before, lengths, kernels.traces, tensors, live)
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
    state.set_lengths(**{name: lengths for name, lengths in drawn.lengths.items() if name in state.lengths})
    for name, spec in program.PIPELINE.memories.items():
        if name not in drawn.memories and name not in drawn.entries:
            continue
        along = next((dim for dim in spec.dims if dim in drawn.lengths), None)
        lengths = None if along is None else drawn.lengths[along]
        if spec.stored_bound is not None:
            rows, columns = spec.extents
            entries = drawn.entries.get(name) or stored_entries(drawn.memories[name], drawn.extent(rows), spec.element)
            fixed = drawn.extent(columns) if isinstance(columns, str) else None
            state.load(name, entries, fixed if lengths is None else lengths)
        elif lengths is None:
            state.load(name, drawn.memories[name])
        else:
            part = [slice(None)] * len(spec.extents)
            part[spec.extents.index(along)] = slice(int(lengths.max(initial=0)))
            state.load(name, drawn.memories[name][tuple(part)], lengths)
    return state


def _tensors(program: HostProgram, step: str, drawn: Draw, call: int) -> dict[str, np.ndarray]:
    given = {**drawn.weights, **(drawn.inputs[call] if drawn.inputs else {})}
    return {name: given[name] for name in program.PIPELINE.steps[step].takes}


def _sizes(program: HostProgram, drawn: Draw) -> dict[str, list[int]]:
    """The extents of the run-time dims, derived ones aside: of a dim that grows before the first call, one for each row
    where they differ."""
    found: dict[str, list[int]] = {}
    for name, dim in program.PIPELINE.dims.items():
        values = [drawn.lengths[name]] if name in drawn.lengths else [call[name] for call in drawn.live if name in call]
        calls = [np.atleast_1d(value).tolist() for value in values]
        if dim.derived is None and calls:
            same = all(call == calls[0] for call in calls)
            found[name] = calls[0] if same else [size for call in calls for size in call]
    return found


def _unchecked(compilation: Compilation, program: HostProgram) -> list[Row]:
    return [
        Row(row["stage"], row["device"], program.backends.get(row["device"], ""), None, None, None, True, NOT_CHECKED)
        for row in compilation.report["stages"]
    ]
