"""What running a pipeline here would take: memory, which is refused where the machine has not as much, and time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block

from hetc.compiler.report import pipeline_of
from hetc.compiler.table import si
from hetc.compiler.verify.extents import Extents
from hetc.diagnostics import EXIT_ENVIRONMENT, Diagnostic, DiagnosticError
from hetc.dialects.mp import (
    PipelineOp,
    RangedOp,
    ReduceOp,
    TensorType,
    dtype_name,
    extent_key,
    in_order,
    storage_bits,
    times,
)

DRAWN_BYTES = 8
"""An element while it is drawn, and in the oracle, which computes in float64."""
COLUMN_NUMBER_BYTES = 4
"""Beside each entry of a sparse memory."""
OPERATIONS_PER_S = {True: 3e7, False: 3e8}
"""Of kernels under emulation (the interpreter works in numpy on blocks, C simulation on one core), and of kernels that
run on a device while the oracle follows in numpy: roughly."""
LONG_S = 600.0


def check_room(module: ModuleOp, extents: Extents, calls: int, check: bool, available: float | None) -> None:
    """Raises DiagnosticError (exit 3) where the tensors of a run, with `check` those of the oracle, too, take more than
    `available` bytes (None: unknown)."""
    pipeline = pipeline_of(module)
    found = list(_tensors(pipeline, extents, calls, check))
    needed = sum(size for _, _, size in found)
    if available is None or needed <= available:
        return
    largest = sorted(found, key=lambda item: -item[2])[:3]
    told = ", ".join(f"{name} {si(size, 'B')} ({shape})" for name, shape, size in largest)
    message = f"a run takes about {si(needed, 'B')} of memory, this machine has {si(available, 'B')} left: {told}"
    raise DiagnosticError(Diagnostic("error", "HET503", message, help=smaller(pipeline, extents)), EXIT_ENVIRONMENT)


def long_run(module: ModuleOp, extents: Extents, calls: int, emulated: bool) -> str | None:
    """A line where the calls are estimated to take more than a few minutes, else None."""
    pipeline = pipeline_of(module)
    operations = calls * sum(
        times(op) * _operations(op.body.block, _elements(op, extents), extents)
        for step in pipeline.steps.values()
        for op in in_order(step.body.block)
        if isinstance(op, RangedOp)
    )
    seconds = operations / OPERATIONS_PER_S[emulated]
    if seconds <= LONG_S:
        return None
    time = f"{seconds / 60:,.0f} minutes" if seconds < 7200 else f"{seconds / 3600:,.0f} hours"
    help = smaller(pipeline, extents)
    what = "emulating" if emulated else "running and checking"
    return f"{what} {operations:.1g} operations takes about {time} (a rough estimate); {help}"


def smaller(pipeline: PipelineOp, extents: Extents) -> str:
    """How to ask for less: the largest dims, and the options that make each smaller."""
    sizes = {
        name: dim.largest if dim.is_static else extents.capacities.get(name, 0)
        for name, dim in pipeline.dims.items()
        if dim.derived is None
    }
    largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
    options = [
        f"{'-D' if pipeline.dims[name].is_static else '--extent'} {name}={max(1, min(64, sizes[name] // 2))}"
        for name in largest
    ]
    return f"smaller dims take less: {', '.join(f'{name} is {sizes[name]:,}' for name in largest)}; {' '.join(options)}"


def _tensors(pipeline: PipelineOp, extents: Extents, calls: int, check: bool) -> Iterator[tuple[str, str, float]]:
    """Name, type and bytes of everything that a run keeps: what is declared, and the results of statements."""
    for name, declared in pipeline.declarations.items():
        kept = calls if declared.role.data == "input" else 1
        yield name, _text(declared.type, extents), kept * _bytes(declared.type, extents, check)
    for step in pipeline.steps.values():
        for op in in_order(step.body.block):
            for result in op.results if isinstance(op, RangedOp) else ():
                assert isinstance(result.type, TensorType)
                yield result.name_hint or op.name, _text(result.type, extents), _bytes(result.type, extents, check)


def _bytes(type: TensorType, extents: Extents, check: bool) -> float:
    stored, elements = storage_bits(type.element) / 8, float(prod(extents.extent(size) for size in type.shape))
    if not type.is_sparse:
        return elements * (stored + DRAWN_BYTES)
    bound = type.storage.stored_bound.data  # type: ignore[attr-defined]
    entries = min(bound, elements) * (stored + COLUMN_NUMBER_BYTES + DRAWN_BYTES)
    return entries + check * elements * DRAWN_BYTES  # the oracle computes on its dense form


def _text(type: TensorType, extents: Extents) -> str:
    return f"{dtype_name(type.element)}[{', '.join(f'{extents.extent(size)}' for size in type.shape)}]"


def _elements(op: RangedOp, extents: Extents) -> int:
    """For how many combinations of its indices a statement is computed."""
    return prod(extents.extent(extent_key(item.extent)) for item in op.ranges)


def _operations(block: Block, count: int, extents: Extents) -> float:
    """How many operations of a region are carried out where it is entered `count` times."""
    total = 0.0
    for op in block.ops:
        total += count
        if isinstance(op, ReduceOp):
            total += _operations(op.body.block, count * extents.extent(extent_key(op.range.extent)), extents)
    return total


def available_bytes(root: Path = Path("/")) -> float | None:
    """Memory that is free on this machine and allowed to this process's group; None where the system does not say."""
    found = []
    fields = _fields(root / "proc/meminfo")
    if "MemAvailable:" in fields:
        found.append(1024.0 * fields["MemAvailable:"])
    limit, used = _number(root / "sys/fs/cgroup/memory.max"), _number(root / "sys/fs/cgroup/memory.current")
    if limit is not None and used is not None:
        found.append(limit - used)
    return max(min(found), 0.0) if found else None


def _fields(path: Path) -> Mapping[str, int]:
    try:
        rows = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {row[0]: int(row[1]) for row in rows if len(row) >= 2 and row[1].isdigit()}


def _number(path: Path) -> float | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return float(text) if text.isdigit() else None
