"""Where each memory lives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Operation, SSAValue

from hetc.dialects.mp import WRITES_IN_PLACE, CommitOp, ForOp, GetOp, PipelineOp, end_of, origin
from hetc.passes.analysis.facts import live_dims, op_facts
from hetc.passes.analysis.rings import slots_of
from hetc.passes.partition.outline import attribute, statements_of
from hetc.passes.partition.placement import arithmetic_kind
from hetc.platforms import Platform


@dataclass(frozen=True)
class MemoryRead:
    """What a statement reads of a memory: its bytes, and whether it scans them."""

    name: str
    scanned: bool
    bytes_moved: float


Reads = Sequence[Sequence[MemoryRead]]
"""Of every statement of a pipeline, step by step, in program order."""


def memory_reads(pipeline: PipelineOp, dims: Mapping[str, int]) -> Reads:
    """What each statement reads of the memories at these extents of the run-time dims, wherever it is placed."""
    found: list[list[MemoryRead]] = []
    for step in pipeline.steps.values():
        live, slots = live_dims(step), slots_of(step)
        for op in statements_of(step):
            found.append([])
            for traffic in op_facts(op, live, slots).reads:
                name = memory_of(traffic.value)
                if name is not None:
                    scanned = bool(traffic.elements.dims & live) or traffic.over_slots
                    found[-1].append(MemoryRead(name, scanned, traffic.bytes_moved().evaluate(dims)))
    return found


def home_memories(pipeline: PipelineOp, platform: Platform, reads: Reads) -> None:
    """A memory lives where it is scanned; among several, or none, where most of its bytes are read; unread, where
    its new contents come from."""
    votes: dict[str, dict[str, tuple[bool, float]]] = {}
    statements = [op for step in pipeline.steps.values() for op in statements_of(step)]
    for op, own in zip(statements, reads, strict=True):
        for read in own:
            row = votes.setdefault(read.name, {})
            scanned, moved = row.get(attribute(op, "device"), (False, 0.0))
            row[attribute(op, "device")] = (scanned or read.scanned, moved + read.bytes_moved)
    _vote_together(pipeline, votes)
    for name, declaration in pipeline.declarations.items():
        if declaration.role.data == "memory":
            row = votes.get(name, {})
            home = max(row, key=lambda kind: row[kind]) if row else _producer_kind(pipeline, name)
            declaration.attributes["home"] = StringAttr(home or arithmetic_kind(platform))


def _vote_together(pipeline: PipelineOp, votes: dict[str, dict[str, tuple[bool, float]]]) -> None:
    """Memories that lie beside each other have one home: they get the votes of all."""
    groups: dict[str, list[str]] = {}
    for name, declaration in pipeline.declarations.items():
        if attribute(declaration, "group"):
            groups.setdefault(attribute(declaration, "group"), []).append(name)
    for names in groups.values():
        together: dict[str, tuple[bool, float]] = {}
        for name in names:
            for kind, (scanned, moved) in votes.get(name, {}).items():
                before = together.get(kind, (False, 0.0))
                together[kind] = (before[0] or scanned, before[1] + moved)
        if together:
            votes.update(dict.fromkeys(names, together))


def memory_of(value: SSAValue) -> str | None:
    """The declared name behind a step's value: a `mp.get`, or rows appended to one."""
    owner = origin(value).owner
    return owner.declared.data if isinstance(owner, GetOp) else None


def _producer_kind(pipeline: PipelineOp, name: str) -> str:
    for step in pipeline.steps.values():
        for op in step.body.block.ops:
            if isinstance(op, CommitOp) and op.declared.data == name:
                value = op.value
                while isinstance(value.owner, ForOp):
                    value = end_of(value, value.owner)
                owner = value.owner
                source = owner.rows.owner if isinstance(owner, WRITES_IN_PLACE) else owner
                if isinstance(source, Operation) and not isinstance(source, GetOp):
                    return attribute(source, "device")
    return ""
