"""Decide the device of each stage and the home of each memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, FloatAttr, ModuleOp, StringAttr
from xdsl.ir import Attribute, SSAValue
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from hetc.dialects.locations import source_line
from hetc.dialects.mp import WRITES_IN_PLACE, CommitOp, ConstantOp, GetOp, PipelineOp, StepOp, in_order, origin
from hetc.passes.analysis.facts import live_dims, op_facts
from hetc.passes.analysis.rings import slots_of
from hetc.passes.analysis.stages import stage_facts
from hetc.passes.partition.outline import attribute, statements_of
from hetc.passes.partition.placement import Decision, Estimate, arithmetic_kind, decide
from hetc.passes.partition.trials import estimate_stages
from hetc.platforms import DEFAULT_PLATFORM, Platform, load_platform


def estimate_dims(pipeline: PipelineOp, given: Mapping[str, int]) -> dict[str, int]:
    """Extents that estimates are made at: the given ones, else each run-time dim's bound."""
    return {name: min(given.get(name, dim.largest), dim.largest) for name, dim in pipeline.dims.items()}


@dataclass(frozen=True)
class AssignDevicesPass(ModulePass):
    """Place each stage by policy `intensity`, and each memory where it is scanned.

    Before: presence is explicit and composite ops are expanded; statements carry `stage`.
    After: statements carry `device`; memories carry `home`; the step carries `placement`, one record a stage with
    the reason and every estimate that was compared. `dims` (NAME=EXTENT) are the extents of the estimates, each
    run-time dim's bound by default; `pins` (STAGE=KIND) go before the policy and over the program's own pins.

        %s = mp.compute ... {stage = "relevancy"}  ->  %s = mp.compute ... {device = "fpga", stage = "relevancy"}
    """

    name = "assign-devices"
    platform: str = DEFAULT_PLATFORM
    pins: tuple[str, ...] = ()
    dims: tuple[str, ...] = ()

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        platform = load_platform(self.platform)
        pins = dict(item.split("=", 1) for item in self.pins)
        for pipeline in [item for item in op.body.block.ops if isinstance(item, PipelineOp)]:
            _check_stages(pipeline)
            given = {name: int(value) for name, value in (item.split("=", 1) for item in self.dims)}
            dims = estimate_dims(pipeline, given)
            estimates = estimate_stages(op, platform, dims)
            for step in pipeline.steps.values():
                own = {stage: kind.data for stage, kind in step.pins.data.items() if isinstance(kind, StringAttr)}
                decisions = _decide_step(step, platform, dims, estimates, {**own, **pins})
                _write(step, decisions)
            _home_memories(pipeline, platform, dims)


def _check_stages(pipeline: PipelineOp) -> None:
    for step in pipeline.steps.values():
        for op in statements_of(step):
            if not attribute(op, "stage"):
                place = source_line(op) or "an unknown place"
                raise PassFailedException(f"assign-devices: {op.name} at {place} belongs to no stage")


def _decide_step(
    step: StepOp,
    platform: Platform,
    dims: Mapping[str, int],
    estimates: Mapping[tuple[str, str], Mapping[str, Estimate]],
    pins: Mapping[str, str],
) -> dict[str, Decision]:
    decisions: dict[str, Decision] = {}
    for facts in stage_facts(step):
        row = estimates.get((step.sym_name.data, facts.stage))
        if row is None:  # only appends: nothing to place
            row = {kind: Estimate(kind, 0.0, 0.0) for kind in platform.kinds}
        decisions[facts.stage] = decide(facts, platform, dims, row, pins.get(facts.stage))
    return decisions


def _write(step: StepOp, decisions: Mapping[str, Decision]) -> None:
    for op in in_order(step.body.block):
        stage = attribute(op, "stage")
        if stage in decisions and not isinstance(op, (ConstantOp, GetOp, *WRITES_IN_PLACE)):
            op.attributes["device"] = StringAttr(decisions[stage].kind)
    step.attributes["placement"] = ArrayAttr([_record(decision) for decision in decisions.values()])


def _record(decision: Decision) -> DictionaryAttr:
    return DictionaryAttr(
        {
            "stage": StringAttr(decision.stage),
            "device": StringAttr(decision.kind),
            "reason": StringAttr(decision.reason),
            "intensity": FloatAttr(decision.intensity, 64),
            "ridge": FloatAttr(decision.ridge, 64),
            "estimates": ArrayAttr([_estimate_record(estimate) for estimate in decision.estimates]),
        }
    )


def _estimate_record(estimate: Estimate) -> DictionaryAttr:
    record: dict[str, Attribute] = {"device": StringAttr(estimate.kind)}
    if estimate.refused:
        record["refused"] = StringAttr(estimate.refused)
    else:
        record["time_us"] = FloatAttr(estimate.time_us or 0.0, 64)
        record["energy_mj"] = FloatAttr(estimate.energy_mj or 0.0, 64)
        record["bound"] = StringAttr(estimate.bound)
    return DictionaryAttr(record)


def _home_memories(pipeline: PipelineOp, platform: Platform, dims: Mapping[str, int]) -> None:
    """A memory lives where it is scanned; among several, or none, where most of its bytes are read; unread, where
    its new contents come from."""
    votes: dict[str, dict[str, tuple[bool, float]]] = {}
    for step in pipeline.steps.values():
        live, slots = live_dims(step), slots_of(step)
        for op in statements_of(step):
            for traffic in op_facts(op, live, slots).reads:
                name = memory_of(traffic.value)
                if name is not None:
                    scanned = bool(traffic.elements.dims & live) or traffic.over_slots
                    row = votes.setdefault(name, {})
                    before = row.get(attribute(op, "device"), (False, 0.0))
                    moved = traffic.bytes_moved().evaluate(dims)
                    row[attribute(op, "device")] = (before[0] or scanned, before[1] + moved)
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
                owner = op.value.owner
                source = owner.rows.owner if isinstance(owner, WRITES_IN_PLACE) else owner
                if not isinstance(source, GetOp):
                    return attribute(source, "device")  # type: ignore[arg-type]
    return ""
