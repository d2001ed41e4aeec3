"""What one call of each step costs as a module is placed: one function for every plan that is compared or reported.

A call is its scheduled kernels, as often as they run, one after the other, and the copies between and within memories
that every call makes; a weight is taken as frozen and moves once, a memory by what was written in it. Energy is what
the kernels take, and what the devices that the plan uses draw while they wait. All figures are estimates from the
platform file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xdsl.ir import Operation, SSAValue

from hetc.dialects.mp import (
    AppendOp,
    CommitOp,
    DeclareOp,
    GetOp,
    PipelineOp,
    ScatterOp,
    TensorType,
    enclosing_step,
    in_order,
    origin,
    storage_bits,
    times,
)
from hetc.dialects.task import KernelOp, TransferOp
from hetc.passes.analysis.layering import Layering
from hetc.passes.analysis.polynomial import Polynomial
from hetc.passes.partition.outline import attribute
from hetc.passes.partition.places import HOST
from hetc.passes.partition.rewrites import Rewrite, rewrites
from hetc.passes.schedule.model import Schedule
from hetc.platforms import Platform

MICRO = 1e-6


@dataclass(frozen=True)
class Copy:
    """One `task.transfer`, or a copy within a device (source and target are the same), over all passes of the loops
    around it. role: input, weight, memory or intermediate. once: a frozen weight, which moves before the first call."""

    op: Operation
    step: str
    value: str
    role: str
    source: str
    target: str
    size_bytes: float
    time_us: float
    once: bool

    @property
    def is_on_host_link(self) -> bool:
        """Whether the caller's tensors or the host's memory are at one end."""
        return HOST in (self.source, self.target)


@dataclass(frozen=True)
class Evaluation:
    """One call of each step. busy_us: of each device kind that the plan uses. between_us, host_us: copies between and
    within devices, and to and from the host. energy_mj: kernels, and idle devices."""

    busy_us: Mapping[str, float]
    between_us: float
    host_us: float
    energy_mj: float

    @property
    def time_us(self) -> float:
        return sum(self.busy_us.values()) + self.between_us + self.host_us


def evaluate(
    pipeline: PipelineOp, platform: Platform, dims: Mapping[str, int], schedules: Mapping[KernelOp, Schedule]
) -> Evaluation:
    """The cost of a pipeline that is cut into kernels, with the schedule of each."""
    busy: dict[str, float] = {}
    energy = 0.0
    for kernel, schedule in schedules.items():
        count = times(kernel)
        busy[kernel.device.data] = busy.get(kernel.device.data, 0.0) + count * schedule.time_us
        energy += count * schedule.energy_mj
    for declaration in pipeline.declarations.values():
        if declaration.role.data == "memory":
            busy.setdefault(attribute(declaration, "home"), 0.0)
    copies = [copy for copy in copies_of(pipeline, platform, dims) if not copy.once]
    between = sum(copy.time_us for copy in copies if not copy.is_on_host_link)
    host = sum(copy.time_us for copy in copies if copy.is_on_host_link)
    whole = sum(busy.values()) + between + host
    for kind, busy_us in busy.items():
        device = platform.device_of_kind(kind)
        energy += (whole - busy_us) * MICRO * float(device.idle_watts) * 1e3 if device is not None else 0.0
    return Evaluation(busy, between, host, energy)


def kernels_of(pipeline: PipelineOp) -> list[KernelOp]:
    """The kernels of all steps, in program order."""
    return [op for op in _ops(pipeline) if isinstance(op, KernelOp)]


def _ops(pipeline: PipelineOp) -> Iterator[Operation]:
    """What stands in the steps and their loops, in program order; not what is in kernels."""
    for step in pipeline.steps.values():
        yield from in_order(step.body.block)


def copies_of(pipeline: PipelineOp, platform: Platform, dims: Mapping[str, int]) -> list[Copy]:
    """Every copy of a placed pipeline: its transfers, with what they take by the platform's links, and copies within a
    device. A weight moves once, whichever step is called first, and a memory that nothing writes too; of another memory
    moves what calls of the steps have written since, or all of it where its layers lie apart."""
    names = {device.kind: name for name, device in reversed(platform.devices.items())} | {HOST: HOST}
    declarations = pipeline.declarations
    found = [_within(rewrite, declarations, platform, dims) for rewrite in rewrites(pipeline)]
    kept: set[tuple[str, str, str]] = set()
    apart = Layering(pipeline)
    for op in _ops(pipeline):
        if not isinstance(op, TransferOp):
            continue
        name, role = _named(op.value, declarations)
        source, target = op.source.data, op.target.data
        stays = role in ("weight", "memory") and not apart.depth(op.value)
        if stays:
            if (name, source, target) in kept:
                continue
            kept.add((name, source, target))
        assert isinstance(op.value.type, TensorType)
        count, size_bytes = times(op), bytes_of(op.value.type, dims)
        once = role == "weight"
        if role == "memory" and stays:
            written = _written_bytes(pipeline, name, dims)
            once = written == 0
            count, size_bytes = (count, size_bytes) if once else (1, min(written, count * size_bytes))
        time_us = count * platform.transfer_us(size_bytes, names[source], names[target])
        step = enclosing_step(op).sym_name.data
        found.append(Copy(op, step, name, role, source, target, count * size_bytes, time_us, once))
    return found


def _within(
    rewrite: Rewrite, declarations: Mapping[str, DeclareOp], platform: Platform, dims: Mapping[str, int]
) -> Copy:
    """A copy within a device, as often as it is made."""
    name, role = _named(rewrite.value, declarations)
    assert isinstance(rewrite.value.type, TensorType)
    count, size_bytes = times(rewrite.op), bytes_of(rewrite.value.type, dims)
    device = platform.device_of_kind(rewrite.kind)
    time_us = count * device.copy_us(size_bytes) if device is not None else 0.0
    step = enclosing_step(rewrite.op).sym_name.data
    return Copy(rewrite.op, step, name, role, rewrite.kind, rewrite.kind, count * size_bytes, time_us, False)


def _named(value: SSAValue, declarations: Mapping[str, DeclareOp]) -> tuple[str, str]:
    """What a value is called, and its role."""
    declared = getattr(origin(value).owner, "declared", None)
    if declared is None:
        return value.name_hint or "", "intermediate"
    return declared.data, declarations[declared.data].role.data


def beyond_room(pipeline: PipelineOp, platform: Platform) -> str:
    """Which device cannot hold the memories at home there and the weights that move there, where every dim is at its
    bound; "" where each can. What a call needs beside them is known when the host program is (HET304)."""
    bounds = {name: dim.largest for name, dim in pipeline.dims.items()}
    held: dict[tuple[str, str], float] = {}
    for name, declaration in pipeline.declarations.items():
        if declaration.role.data == "memory":
            held[attribute(declaration, "home"), name] = bytes_of(declaration.type, bounds)
    for op in _ops(pipeline):
        owner = origin(op.value).owner if isinstance(op, TransferOp) else None
        if isinstance(op, TransferOp) and isinstance(owner, GetOp):
            declaration = pipeline.declarations[owner.declared.data]
            if declaration.role.data == "weight":
                held[op.target.data, owner.declared.data] = bytes_of(declaration.type, bounds)
    for kind in platform.kinds:
        device = platform.device_of_kind(kind)
        needed = sum(size for (place, _), size in held.items() if place == kind)
        if device is not None and needed > device.capacity_bytes:
            has = f"{device.title} has {device.capacity_bytes / 1e9:,.3g} GB"
            return f"memories and weights take {needed / 1e9:,.3g} GB on the {kind}; {has}"
    return ""


def _written_bytes(pipeline: PipelineOp, name: str, dims: Mapping[str, int]) -> float:
    """What one call of each step writes of a memory."""
    total = 0.0
    for op in _ops(pipeline):
        if isinstance(op, AppendOp | ScatterOp) and _is_memory(op.memory, name):
            assert isinstance(op.rows.type, TensorType) and isinstance(op.memory.type, TensorType)
            held = storage_bits(op.memory.type.element) + (32 if op.memory.type.is_sparse else 0)
            total += times(op) * bytes_of(op.rows.type, dims) * held / storage_bits(op.rows.type.element)
        elif isinstance(op, CommitOp) and op.declared.data == name and not _is_memory(op.value, name):
            assert isinstance(op.value.type, TensorType)
            total += bytes_of(op.value.type, dims)
    return total


def _is_memory(value: SSAValue, name: str) -> bool:
    """Whether a value is what the memory holds, with what was written in it."""
    owner = origin(value).owner
    return isinstance(owner, GetOp) and owner.declared.data == name


def bytes_of(type: TensorType, dims: Mapping[str, int]) -> float:
    """What a tensor takes at these extents."""
    if type.is_sparse:
        return type.storage.stored_bound.data * (storage_bits(type.element) / 8 + 4)  # type: ignore[attr-defined]
    elements = Polynomial.of(1)
    for size in type.shape:
        elements = elements * size
    return elements.evaluate(dims) * storage_bits(type.element) / 8
