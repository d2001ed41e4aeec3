"""Facts of one stage of one step: its statements taken together, as placement looks at them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from xdsl.ir import Operation, SSAValue

from hetc.dialects.mp import (
    WRITES_IN_PLACE,
    ClearOp,
    ConstantOp,
    ForOp,
    GetOp,
    NextOp,
    StepOp,
    TensorType,
    in_order,
    loop_of,
    storage_bits,
    times,
)
from hetc.numerics import dtype_of
from hetc.passes.analysis.facts import OpFacts, Traffic, live_dims, op_facts, source_of
from hetc.passes.analysis.polynomial import Polynomial
from hetc.passes.analysis.rings import slots_of
from hetc.platforms import Device


@dataclass(frozen=True)
class StageFacts:
    """Work and traffic of one stage.

    reads: what it takes from outside itself (memories, weights, inputs, values of other stages), each tensor once.
    written: the values it hands on or appends, and how often in a call.
    """

    stage: str
    statements: tuple[OpFacts, ...]
    flop: Polynomial
    reads: tuple[Traffic, ...]
    written: tuple[tuple[SSAValue, int], ...]

    @property
    def scan(self) -> bool:
        return any(facts.scan for facts in self.statements)

    @property
    def irregular(self) -> tuple[str, ...]:
        return tuple(sorted({kind for facts in self.statements for kind in facts.irregular}))

    @property
    def access(self) -> tuple[str, ...]:
        return tuple(sorted({traffic.access for traffic in self.reads}))

    def bytes_by_source(self, device: Device, dims: Mapping[str, int]) -> dict[str, float]:
        """Bytes by memory, weight, input and intermediate, and `written`; elements at the device's compute dtype."""
        totals = dict.fromkeys(("memory", "weight", "input", "intermediate", "written"), 0.0)
        for traffic in self.reads:
            bits = compute_bits(device, traffic.dtype) if traffic.codes is None else None
            totals[source_of(traffic.value)] += traffic.bytes_moved(bits).evaluate(dims)
        for value, count in self.written:
            assert isinstance(value.type, TensorType)
            elements = Polynomial.of(count)
            for size in value.type.shape:
                elements = elements * size
            totals["written"] += elements.evaluate(dims) * storage_bits(value.type.element) / 8
        return totals

    def intensity(self, device: Device, dims: Mapping[str, int]) -> float:
        """FLOP per byte moved; infinite for a stage that moves nothing."""
        moved = sum(self.bytes_by_source(device, dims).values())
        return self.flop.evaluate(dims) / moved if moved else float("inf")

    def dominant_dtype(self, device: Device, dims: Mapping[str, int]) -> str:
        """The dtype (as computed on `device`) of the tensor that moves most: its ridge point is the one compared."""
        floats = [traffic for traffic in self.reads if traffic.dtype != "index"]
        if not floats:
            return "f32"
        largest = max(floats, key=lambda traffic: traffic.bytes_moved().evaluate(dims))
        return compute_dtype(device, largest.dtype)


def compute_dtype(device: Device, dtype: str) -> str:
    """The dtype in which `device` computes values stored as `dtype`; index and bool count as i32."""
    return device.compute_dtype("i32" if dtype in ("index", "bool") else dtype)


def compute_bits(device: Device, dtype: str) -> int:
    """Bits of one element at the device's compute dtype. Integers are data or positions: they stay as stored."""
    if dtype in ("index", "bool"):
        return 32 if dtype == "index" else 8
    known = dtype_of(dtype)
    return known.bits if known.kind != "float" else dtype_of(compute_dtype(device, dtype)).bits


def stage_facts(step: StepOp) -> tuple[StageFacts, ...]:
    """The stages of a step in order of first appearance."""
    live, slots = live_dims(step), slots_of(step)
    groups: dict[str, list[OpFacts]] = {}
    for op in in_order(step.body.block):
        if "stage" in op.attributes and not isinstance(op, GetOp | ForOp | NextOp | ClearOp):
            facts = op_facts(op, live, slots)
            groups.setdefault(facts.stage, []).append(facts)
    return tuple(_collect(stage, statements) for stage, statements in groups.items())


def _collect(stage: str, statements: list[OpFacts]) -> StageFacts:
    inside = {facts.op for facts in statements}
    flop = Polynomial()
    reads: dict[SSAValue, Traffic] = {}
    for facts in statements:
        flop += facts.flop
        for every_pass in facts.reads:
            traffic = _as_it_came_in(every_pass, inside)
            if isinstance(traffic.value.owner, ConstantOp):
                continue
            # A memory in which the stage writes is still read from where it lies.
            if traffic.value.owner in inside and not isinstance(traffic.value.owner, WRITES_IN_PLACE):
                continue
            known = reads.get(traffic.value)
            if known is None or len(known.elements.dims) < len(traffic.elements.dims):
                reads[traffic.value] = traffic
    # Of a memory only the rows that come are written, whatever its size.
    written = []
    for facts in statements:
        for result in facts.op.results:
            count = _handed_on(result, times(facts.op), inside)
            if count:
                written.append((facts.op.rows if isinstance(facts.op, WRITES_IN_PLACE) else result, count))
    return StageFacts(stage, tuple(statements), flop, tuple(reads.values()), tuple(written))


def _as_it_came_in(traffic: Traffic, inside: set[Operation]) -> Traffic:
    """Of what a loop carries, where the stage itself makes it in every pass: what the first pass begins with."""
    value = traffic.value
    if isinstance(value.owner, ForOp):
        ends = value.owner.next
        return replace(traffic, value=(*ends.carried, *ends.layers)[list(value.owner.outputs).index(value)])  # type: ignore[arg-type]
    loop = loop_of(value)
    if loop is None or value not in loop.carried_arguments:
        return traffic
    carried = loop.next.carried[list(loop.carried_arguments).index(value)]  # type: ignore[arg-type]
    if carried.owner not in inside:
        return traffic
    return replace(traffic, value=loop.arguments[value], elements=traffic.elements * (1 / loop.passes))


def _handed_on(value: SSAValue, count: int, inside: set[Operation]) -> int:
    """How often in a call a value, made so many times, goes to something besides the stage's statements: as it is, in
    a later pass of the loop that carries it, or after it; 0 where it stays."""
    pending, seen, most = [(value, count)], {value}, 0
    while pending:
        value, count = pending.pop()
        for use in value.uses:
            later: list[tuple[SSAValue, int]] = []
            if isinstance(use.operation, NextOp):
                loop = use.operation.parent_op()
                assert isinstance(loop, ForOp)
                carried = loop.carried_arguments[use.index : use.index + 1]
                # Only the last pass's value comes out of the loop; layers do one by one.
                later.append((loop.outputs[use.index], count // loop.passes if carried else count))
                later += [(argument, count) for argument in carried]
            elif isinstance(use.operation, ForOp):
                arguments = (*use.operation.carried_arguments, *use.operation.layer_arguments)
                later.append((arguments[use.index], count))
            elif not _within(use.operation, inside):
                most = max(most, count)
            pending += [item for item in later if item[0] not in seen]
            seen.update(item for item, _ in later)
    return most


def _within(op: Operation, statements: set[Operation]) -> bool:
    """Whether `op` is one of the statements or stands in one."""
    current: Operation | None = op
    while current is not None and current not in statements:
        current = current.parent_op()
    return current is not None
