"""Small programs for the front end's tests."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import indent

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from hetc.compiler.frontend import check_source
from hetc.diagnostics import Diagnostic
from hetc.dialects.mp import PipelineOp, StepOp
from hetc.source import SourceFile

HEADER = """\
pipeline p:
    dim B <= 8
    dim T <= 64 per B
    dim D = 4
    dim E = 6
    input x: f32[B, D]
    input y: f32[D, E]
    input n: i32[D]
    input long: i64[D]
    input flag: bool[D]
    input keys: bf16[B, T, D]
    input lr: f32
    memory total: f32[D]
"""


def program(statements: str, outputs: str, header: str = HEADER) -> str:
    return f"{header}    relevancy:\n{indent(statements, ' ' * 8)}\n    output {outputs}\n"


def module_of(text: str, overrides: Mapping[str, int] | None = None) -> ModuleOp:
    module, diagnostics = check_source(SourceFile("test.mp", text), overrides)
    assert module is not None, [str(item) for item in diagnostics]
    return module


def pipeline_of(module: ModuleOp) -> PipelineOp:
    (pipeline,) = module.ops
    assert isinstance(pipeline, PipelineOp)
    return pipeline


def step_of(module: ModuleOp) -> StepOp:
    (step,) = pipeline_of(module).steps.values()
    return step


def statements_of(statements: str, outputs: str) -> list[Operation]:
    """The ops of the step that carry a stage."""
    return [op for op in step_of(module_of(program(statements, outputs))).body.ops if "stage" in op.attributes]


def errors_of(text: str, overrides: Mapping[str, int] | None = None) -> list[Diagnostic]:
    module, diagnostics = check_source(SourceFile("test.mp", text), overrides)
    errors = [item for item in diagnostics if item.severity == "error"]
    assert (module is None) == bool(errors)
    return errors


def warnings_of(text: str) -> list[Diagnostic]:
    return [item for item in check_source(SourceFile("test.mp", text))[1] if item.severity == "warning"]
