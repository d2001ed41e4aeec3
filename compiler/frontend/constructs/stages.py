"""Stages: to which one a statement belongs, and the device kind that one is pinned to."""

from __future__ import annotations

from contextlib import AbstractContextManager

from hetc.compiler.frontend.lower.emitter import StepEmitter
from hetc.compiler.frontend.syntax import ast
from hetc.devices import device_kinds


def stage_around(block: ast.Block, step: StepEmitter) -> AbstractContextManager[None]:
    """Adds what a block itself computes to the stage around it, or to the first one in it."""
    first = next(ast.stages_of(block.statements), None)
    return step.in_stage(step.stage or (first.name if first is not None else ""))


def pin(stage: ast.Stage, step: StepEmitter) -> None:
    """Notes the kind that a stage is pinned to; one name has one kind. Mistakes go to the diagnostics."""
    if stage.pin is None:
        return
    kind, diagnostics = stage.pin.name, step.environment.diagnostics
    if kind not in device_kinds():
        message = f"no backend makes programs for a device of kind `{kind}`"
        help = f"installed are {', '.join(device_kinds())}"
        diagnostics.error("HET302", message, stage.pin.span, help=help)
    elif step.pins.setdefault(stage.name, kind) != kind:
        before = step.pins[stage.name]
        message = f"the stage `{stage.name}` is pinned to `{before}` before and to `{kind}` here"
        diagnostics.error("HET302", message, stage.pin.span)
