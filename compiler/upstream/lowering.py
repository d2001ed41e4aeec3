"""A pipeline as text in upstream dialects."""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO

from xdsl.dialects.builtin import ModuleOp
from xdsl.printer import Printer

from hetc.compiler.pipeline import run_pass
from hetc.dialects.mp import PipelineOp
from hetc.dialects.registry import new_context
from hetc.passes.lower_linalg.limits import LeftOut, left_out
from hetc.passes.lower_linalg.mp_to_linalg import MpToLinalgPass


@dataclass(frozen=True)
class Lowered:
    """text: in the generic form, which any MLIR parses, with source locations. functions: how many, one a step.
    statements: how many the steps have; left_out: those that upstream cannot express, whose results are arguments."""

    text: str
    functions: int
    statements: int
    left_out: tuple[LeftOut, ...]


def lower(expanded: ModuleOp) -> Lowered:
    """Lower a module as it is after the stage `expanded`; the module stays as it is."""
    steps = [step for op in expanded.body.block.ops if isinstance(op, PipelineOp) for step in op.steps.values()]
    statements = sum(len(step.body.block.ops) for step in steps)
    module = expanded.clone()
    run_pass(MpToLinalgPass(partial=True), new_context(), module)
    module.verify()
    stream = StringIO()
    Printer(stream, print_generic_format=True, print_debuginfo=True).print_op(module)
    return Lowered(stream.getvalue(), len(steps), statements, tuple(left_out(expanded)))
