"""What options ask of a pipeline and a platform that these do not have, as diagnostics (exit 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xdsl.dialects.builtin import ModuleOp

from hetc.compiler.report import pipeline_of
from hetc.devices import device_kinds
from hetc.diagnostics import Diagnostic, DiagnosticError, suggest
from hetc.dialects.mp import in_order
from hetc.passes.partition.policies import OBJECTIVES, POLICIES
from hetc.platforms import Platform


def check_policy(policy: str, objective: str) -> None:
    """Refuses a policy or an objective that there is not."""
    for kind, name, known in (("policy", policy, POLICIES), ("objective", objective, OBJECTIVES)):
        if name not in known:
            raise _usage(f"no {kind} `{name}`", f"it is one of {', '.join(known)}")


def check_pins(module: ModuleOp, pins: Mapping[str, str], estimate: Mapping[str, int], platform: Platform) -> None:
    """Refuses pins of stages and kinds that are not there, and estimates at extents that a dim cannot have."""
    pipeline = pipeline_of(module)
    stages = {
        op.attributes["stage"].data  # type: ignore[attr-defined]
        for step in pipeline.steps.values()
        for op in in_order(step.body.block)
        if "stage" in op.attributes
    }
    own = {stage: kind.data for step in pipeline.steps.values() for stage, kind in step.pins.data.items()}  # type: ignore[attr-defined]
    for stage, kind in {**own, **pins}.items():
        if stage not in stages:
            guess = suggest(stage, stages)
            raise _usage(
                f"the pipeline has no stage {stage}",
                f"did you mean {guess}?" if guess else f"it has {', '.join(sorted(stages))}",
            )
        if kind not in device_kinds():
            raise _usage(
                f"stage {stage} is pinned to {kind}, and no device kind of that name is installed",
                f"installed are {', '.join(device_kinds())}",
            )
        if kind not in platform.kinds:
            raise _usage(
                f"stage {stage} is pinned to {kind}, but platform {platform.name} has no device of that kind",
                f"it has {', '.join(platform.kinds)}; -p names another (`hetc platform list`)",
            )
    run_time = {name for name, dim in pipeline.dims.items() if not dim.is_static}
    for name, extent in estimate.items():
        if name not in pipeline.dims:
            guess = suggest(name, run_time)
            raise _usage(f"the pipeline has no dim {name}", f"did you mean {guess}?" if guess else "")
        if name not in run_time:
            raise _usage(
                f"an estimate at {name} = {extent}, but {name} is a constant", "set it under [dims], or with -D"
            )
        if extent > pipeline.dims[name].largest:
            bound = pipeline.dims[name].largest
            raise _usage(
                f"an estimate at {name} = {extent}, but its bound is {bound}", "raise the bound, or estimate less"
            )


def check_reachable(report: Mapping[str, Any]) -> None:
    """Refuses a placement that no host program can run."""
    found = []
    for row in report["unreachable"]:
        elsewhere = f", or {row['pins']}" if row["pins"] else ""
        help = f"choose a platform with another card{elsewhere}; `hetc explain` compares this one"
        found.append(Diagnostic("error", "HET424", row["reason"], help=help))
    if found:
        raise DiagnosticError(found, exit_code=2)


def _usage(message: str, help: str) -> DiagnosticError:
    return DiagnosticError(Diagnostic("error", "HET410", message, help=help or None), exit_code=2)
