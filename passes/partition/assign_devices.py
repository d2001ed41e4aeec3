"""Decide the device of each stage and the home of each memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, FloatAttr, IntegerAttr, ModuleOp, StringAttr
from xdsl.ir import Attribute
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from hetc.dialects.locations import source_line
from hetc.dialects.mp import PipelineOp
from hetc.dialects.mp.derived import value_of
from hetc.passes.analysis.stages import stage_facts
from hetc.passes.partition.homes import home_memories, memory_reads
from hetc.passes.partition.outline import attribute, statements_of
from hetc.passes.partition.placement import Decision, Estimate, decide
from hetc.passes.partition.plans import Devices, Plan, Plans, Unit, place
from hetc.passes.partition.policies import OBJECTIVES, POLICIES
from hetc.passes.partition.ranges import Range, ranges
from hetc.passes.partition.search import Choice, cheapest
from hetc.passes.partition.trials import estimate_stages
from hetc.passes.schedule.schedules import Schedules, schedules_of
from hetc.platforms import DEFAULT_PLATFORM, load_platform


def estimate_dims(pipeline: PipelineOp, given: Mapping[str, int]) -> dict[str, int]:
    """Extents that estimates are made at: the given ones, else each run-time dim's bound; of a derived dim what those
    that it is derived from make it."""
    found: dict[str, int] = {}
    for name, dim in pipeline.dims.items():
        found[name] = min(given.get(name, dim.largest), dim.largest)
        if dim.derived is not None and dim.of is not None and name not in given:
            sources = [found[source.data] for source in dim.of]
            found[name] = min(value_of(dim.functions, sources), dim.largest)
    return found


@dataclass(frozen=True)
class AssignDevicesPass(ModulePass):
    """Place each stage, and each memory where it is scanned.

    Before: presence is explicit and composite ops are expanded; statements carry `stage`.
    After: statements carry `device`; memories carry `home`; the step carries `placement`, one record a stage with
    the reason and every estimate that was compared; the pipeline carries `plans`: what was chosen, the rule and each
    device alone, with what a call costs. `policy` and `objective` (latency, energy, edp) decide. `dims` (NAME=EXTENT)
    are the extents of the estimates, each run-time dim's bound by default, and `ranges` asks over which extents the
    choice holds; `pins` (STAGE=KIND) go before the policy
    and over the program's own pins.

        %s = mp.compute ... {stage = "relevancy"}  ->  %s = mp.compute ... {device = "fpga", stage = "relevancy"}
    """

    name = "assign-devices"
    platform: str = DEFAULT_PLATFORM
    policy: str = POLICIES[0]
    objective: str = OBJECTIVES[0]
    pins: tuple[str, ...] = ()
    dims: tuple[str, ...] = ()
    ranges: bool = False

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        platform = load_platform(self.platform)
        given = {name: int(value) for name, value in (item.split("=", 1) for item in self.dims)}
        for pipeline in [item for item in op.body.block.ops if isinstance(item, PipelineOp)]:
            _check_stages(pipeline)
            dims = estimate_dims(pipeline, given)
            _Placement(op, pipeline, schedules_of(platform, dims), self).run()
            home_memories(pipeline, platform, memory_reads(pipeline, dims))


class _Placement:
    """The placement of one pipeline."""

    def __init__(self, module: ModuleOp, pipeline: PipelineOp, schedules: Schedules, options: AssignDevicesPass):
        self.pipeline, self.schedules, self.options = pipeline, schedules, options
        self.plans = Plans(module, pipeline.sym_name.data, schedules)
        self.alone = estimate_stages(module, schedules)
        self.pins = self._pins()
        self.rules = self._rules()

    def run(self) -> None:
        rule = {unit: decision.kind for unit, decision in self.rules.items()}
        placed = {unit: kind for unit, kind in rule.items() if unit in self.alone}
        choice = Choice(self.plans.of(placed), exact=True)
        if self.options.policy == "auto":
            kinds = self.schedules.platform.kinds
            choice = cheapest(self.plans, placed, self.alone, self.pins, kinds, self.options.objective)
        devices = rule | dict(choice.plan.devices)
        self._write({unit: _chosen(decision, devices[unit]) for unit, decision in self.rules.items()})
        place(self.pipeline, devices)
        self.pipeline.attributes["plans"] = self._plans_record(choice, placed)

    def _pins(self) -> dict[Unit, str]:
        over = dict(item.split("=", 1) for item in self.options.pins)
        found: dict[Unit, str] = {}
        for step in self.pipeline.steps.values():
            own = {stage: kind.data for stage, kind in step.pins.data.items() if isinstance(kind, StringAttr)}
            found |= {(step.sym_name.data, stage): kind for stage, kind in {**own, **over}.items()}
        return found

    def _rules(self) -> dict[Unit, Decision]:
        """What the rule says of every stage, pins kept."""
        platform, dims = self.schedules.platform, self.schedules.dims
        nothing = {kind: Estimate(kind, 0.0, 0.0) for kind in platform.kinds}  # only appends: nothing to place
        rules = {}
        for step in self.pipeline.steps.values():
            for facts in stage_facts(step):
                unit = step.sym_name.data, facts.stage
                rules[unit] = decide(facts, platform, dims, self.alone.get(unit, nothing), self.pins.get(unit))
        return rules

    def _write(self, decisions: Mapping[Unit, Decision]) -> None:
        for name, step in self.pipeline.steps.items():
            own = [_record(decision) for (owner, _), decision in decisions.items() if owner == name]
            step.attributes["placement"] = ArrayAttr(own)

    def _plans_record(self, choice: Choice, rule: Devices) -> DictionaryAttr:
        named = {"chosen": choice.plan, "rule": self.plans.of(rule)}
        for kind in self.schedules.platform.kinds:
            named[f"all {kind}"] = self.plans.of(dict.fromkeys(rule, kind))
        found = self._ranges(named) if self.options.ranges else []
        return DictionaryAttr(
            {
                "policy": StringAttr(self.options.policy),
                "objective": StringAttr(self.options.objective),
                "exact": IntegerAttr.from_bool(choice.exact),
                "plans": ArrayAttr([_plan_record(name, plan) for name, plan in named.items()]),
                "ranges": ArrayAttr([_range_record(item) for item in found]),
            }
        )

    def _ranges(self, named: Mapping[str, Plan]) -> list[Range]:
        def derived(dims: Mapping[str, int]) -> Mapping[str, int]:
            return estimate_dims(self.pipeline, {name: dims[name] for name in self.plans.own_dims()})

        return ranges(self.plans, named, self.options.objective, derived)


def _chosen(rule: Decision, kind: str) -> Decision:
    """The decision for a stage where the plan has it on `kind`."""
    if kind == rule.kind:
        return rule
    return replace(rule, kind=kind, reason=f"in the cheapest plan; by the rule {rule.kind} ({rule.reason})")


def _check_stages(pipeline: PipelineOp) -> None:
    for step in pipeline.steps.values():
        for op in statements_of(step):
            if not attribute(op, "stage"):
                place = source_line(op) or "an unknown place"
                raise PassFailedException(f"assign-devices: {op.name} at {place} belongs to no stage")


def _plan_record(name: str, plan: Plan) -> DictionaryAttr:
    stages = [
        DictionaryAttr({"step": StringAttr(step), "stage": StringAttr(stage), "device": StringAttr(kind)})
        for (step, stage), kind in plan.devices
    ]
    record: dict[str, Attribute] = {"name": StringAttr(name), "stages": ArrayAttr(stages)}
    if plan.cost is None:
        record["refused"] = StringAttr(plan.refused)
    else:
        for field in ("time_us", "energy_mj", "between_us", "host_us"):
            record[field] = FloatAttr(getattr(plan.cost, field), 64)
        record["busy_us"] = DictionaryAttr({kind: FloatAttr(us, 64) for kind, us in plan.cost.busy_us.items()})
    return DictionaryAttr(record)


def _range_record(found: Range) -> DictionaryAttr:
    extents = ArrayAttr([IntegerAttr(extent, 64) for extent in found.extents])
    best = ArrayAttr([StringAttr(name) for name in found.best])
    return DictionaryAttr({"dim": StringAttr(found.dim), "extents": extents, "best": best})


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
