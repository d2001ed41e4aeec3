"""What `explain` prints and `report.json` holds: facts, decisions, estimates and transfers as plain data.

Times and energies are estimates from the platform file's figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, FloatAttr, ModuleOp, StringAttr
from xdsl.ir import Attribute

from hetc.dialects.locations import source_line
from hetc.dialects.mp import (
    PipelineOp,
    StepOp,
    dtype_name,
    in_order,
    times,
)
from hetc.dialects.task import KernelOp
from hetc.passes.analysis.stages import StageFacts, stage_facts
from hetc.passes.partition.assign_devices import estimate_dims
from hetc.passes.partition.evaluate import bytes_of, copies_of
from hetc.passes.partition.placement import arithmetic_kind
from hetc.platforms import Platform


def pipeline_of(module: ModuleOp) -> PipelineOp:
    """The one pipeline of a module."""
    return next(op for op in module.body.block.ops if isinstance(op, PipelineOp))


def stage_rows(module: ModuleOp, platform: Platform, estimate: Mapping[str, int]) -> list[dict[str, Any]]:
    """One row a stage, from a module after stage `assigned`."""
    pipeline = pipeline_of(module)
    dims = estimate_dims(pipeline, estimate)
    rows = []
    for step in pipeline.steps.values():
        decisions = {record["stage"]: record for record in plain(step.attributes["placement"])}
        for facts in stage_facts(step):
            rows.append(_stage_row(step, facts, decisions[facts.stage], platform, dims))
    return rows


def _stage_row(
    step: StepOp, facts: StageFacts, decision: dict[str, Any], platform: Platform, dims: Mapping[str, int]
) -> dict[str, Any]:
    device = platform.device_of_kind(arithmetic_kind(platform))
    assert device is not None
    return {
        "step": step.sym_name.data,
        "stage": facts.stage,
        "device": decision["device"],
        "reason": decision["reason"],
        "flop": facts.flop.evaluate(dims),
        "flop_formula": str(facts.flop),
        "bytes": facts.bytes_by_source(device, dims),
        "intensity": decision["intensity"],
        "ridge": decision["ridge"],
        "access": list(facts.access),
        "irregular": list(facts.irregular),
        "scan": facts.scan,
        "lines": sorted({statement.line for statement in facts.statements}, key=_line_number),
        "estimates": decision["estimates"],
    }


def memory_rows(module: ModuleOp, estimate: Mapping[str, int]) -> list[dict[str, Any]]:
    """One row a memory: its home and its bytes at the extents of the estimates."""
    pipeline = pipeline_of(module)
    dims = estimate_dims(pipeline, estimate)
    rows = []
    for name, declaration in pipeline.declarations.items():
        if declaration.role.data == "memory":
            home = declaration.attributes["home"]
            size_bytes = bytes_of(declaration.type, dims)
            rows.append({"name": name, "home": plain(home), "dtype": dtype_name(declaration.type.decoded.element)})
            rows[-1]["bytes"] = size_bytes
    return rows


def kernel_rows(placed: ModuleOp) -> list[dict[str, Any]]:
    """One row a kernel with the schedule that its lowering applies."""
    return [
        {
            "name": kernel.sym_name.data,
            "step": step.sym_name.data,
            "device": kernel.device.data,
            "stages": [stage.data for stage in kernel.stages],
            "times": times(kernel),
            "schedule": plain(kernel.schedule) if kernel.schedule is not None else None,
        }
        for step in pipeline_of(placed).steps.values()
        for kernel in in_order(step.body.block)
        if isinstance(kernel, KernelOp)
    ]


def stage_label(step: str, stage: str, several: bool) -> str:
    """How a stage is called where a pipeline's steps are told apart."""
    return f"{step}.{stage}" if several else stage


def transfer_rows(placed: ModuleOp, platform: Platform, estimate: Mapping[str, int]) -> list[dict[str, Any]]:
    """One row a transfer of a step: bytes, and time by the platform's links, over all passes of the loops around it.
    A weight is taken as frozen: it moves once, whichever step is called first."""
    pipeline = pipeline_of(placed)
    return [
        {
            "step": copy.step,
            "value": copy.value,
            "role": copy.role,
            "from": copy.source,
            "to": copy.target,
            "bytes": copy.size_bytes,
            "time_us": copy.time_us,
            "once": copy.once,
            "line": source_line(copy.op),
        }
        for copy in copies_of(pipeline, platform, estimate_dims(pipeline, estimate))
    ]


def unreachable_rows(kernels: Iterable[Mapping[str, Any]], platform: Platform) -> list[dict[str, Any]]:
    """One row a device that kernels were placed on and no host program can reach: their stages, the reason, and pins
    that place them elsewhere."""
    rows = []
    for kind in platform.kinds:
        device = platform.device_of_kind(kind)
        assert device is not None
        stages = [stage for kernel in kernels if kernel["device"] == kind for stage in kernel["stages"]]
        if stages and device.no_host:
            names = list(dict.fromkeys(stages))
            reason = f"no host program can be made for the {device.title}, where {', '.join(names)} would run: "
            others = [item.kind for item in platform.devices.values() if not item.no_host]
            pins = " ".join(f"--pin {name}={others[0]}" for name in names) if others else ""
            rows.append({"device": kind, "stages": names, "reason": reason + device.no_host, "pins": pins})
    return rows


def _line_number(line: str) -> tuple[int, str]:
    number = line.rpartition(":")[2]
    return (int(number) if number.isdigit() else 0, line)


def plain(attribute: Attribute) -> Any:
    """An attribute as JSON-able data."""
    match attribute:
        case StringAttr():
            return attribute.data
        case FloatAttr():
            return attribute.value.data
        case ArrayAttr():
            return [plain(item) for item in attribute]
        case DictionaryAttr():
            return {name: plain(item) for name, item in attribute.data.items()}
    return attribute.value.data  # type: ignore[attr-defined]
