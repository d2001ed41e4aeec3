"""A syntax tree to a verified mp module: dims, declarations, the steps, and what only the whole can tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xdsl.dialects.builtin import FloatAttr, IntegerAttr, ModuleOp, StringAttr, f32
from xdsl.ir import Attribute, Block, Region

from hetc.compiler.frontend.constructs.along import ALONG
from hetc.compiler.frontend.expand.desugar import desugar
from hetc.compiler.frontend.expand.inline import Inliner
from hetc.compiler.frontend.expand.rewriting import mentioned, words
from hetc.compiler.frontend.lower.expressions import location_of
from hetc.compiler.frontend.resolve.declare import declare_tensors
from hetc.compiler.frontend.resolve.declare_dims import declare_dims
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.resolve.layouts import place_memories
from hetc.compiler.frontend.resolve.symbols import Declared, Dim
from hetc.compiler.frontend.step import build_step
from hetc.compiler.frontend.syntax import ast
from hetc.diagnostics import Diagnostics, Related
from hetc.dialects.mp import DeclareOp, DimOp, PipelineOp, StepOp, compute_type


def emit_pipeline(
    pipeline: ast.Pipeline,
    overrides: Mapping[str, int],
    diagnostics: Diagnostics,
    layouts: Mapping[str, ast.Expr] | None = None,
) -> ModuleOp | None:
    """The module of a pipeline, or None where `diagnostics` now holds errors."""
    environment = Environment(diagnostics, along=ALONG)
    declare_dims(pipeline, overrides, environment)
    pipeline = desugar(pipeline, environment)
    declare_tensors(pipeline, environment)
    environment.growing = frozenset(growth.dim.name for step in pipeline.steps for growth in step.grows)
    environment.words = _words(pipeline)
    place_memories(pipeline, layouts or {}, environment)
    _check_step_names(pipeline, environment)
    inliner = Inliner(pipeline, environment)
    steps = [build_step(step, environment.for_step(), inliner) for step in pipeline.steps]
    if diagnostics.has_errors:
        return None
    _warn_unused(pipeline, environment, inliner.used)
    return _module(pipeline, environment, steps)


def _words(pipeline: ast.Pipeline) -> frozenset[str]:
    """Every name that the pipeline uses or declares."""
    found = {pipeline.name} | {dim.name for dim in pipeline.dims} | {item.name for item in pipeline.declarations}
    found |= {step.name for step in pipeline.steps}.union(*map(mentioned, pipeline.steps))
    for function in pipeline.functions:
        found |= {function.name} | words(function.statements)
    return frozenset(found)


def _check_step_names(pipeline: ast.Pipeline, environment: Environment) -> None:
    taken = environment.declared_names()
    for step in pipeline.steps:
        if step.name in taken:
            related = (Related(taken[step.name], "first declared here"),)
            message = f"the name `{step.name}` is taken"
            environment.diagnostics.error("HET101", message, step.name_span, related=related)
        taken.setdefault(step.name, step.name_span)


def _warn_unused(pipeline: ast.Pipeline, environment: Environment, called: set[str]) -> None:
    outputs = {output.name for step in pipeline.steps for output in step.outputs}
    for item in pipeline.declarations:
        if item.name not in environment.used | outputs:
            environment.diagnostics.warning("HET109", f"the {item.role} `{item.name}` is never used", item.name_span)
    for dim in pipeline.dims:
        if dim.name not in environment.used:
            environment.diagnostics.warning("HET109", f"the dim `{dim.name}` is never used", dim.name_span)
    for function in pipeline.functions:
        if function.name not in called:
            message = f"the function `{function.name}` is never called"
            environment.diagnostics.warning("HET109", message, function.name_span)
    known = environment.used | outputs | environment.declared.keys()
    for step in pipeline.steps:
        for statement in ast.simple_statements(step.statements):
            for target in statement.targets if isinstance(statement, ast.Define) else ():
                if target.name not in known:
                    message = f"`{target.name}` is computed but never used"
                    environment.diagnostics.warning("HET109", message, target.name_span)


def _module(pipeline: ast.Pipeline, environment: Environment, steps: Sequence[StepOp]) -> ModuleOp:
    place = location_of(pipeline.name_span)
    block = Block()
    for dim in environment.dims.values():
        block.add_op(_dim(dim))
    for declared in environment.declared.values():
        block.add_op(_declare(declared))
    for step in steps:
        block.add_op(step)
    pipeline_op = PipelineOp(pipeline.name, Region(block))
    pipeline_op.location = place
    module = ModuleOp([pipeline_op])
    module.location = place
    return module


def _dim(dim: Dim) -> DimOp:
    op = DimOp(dim.name, size=dim.size, bound=dim.bound, per=dim.per, derived=dim.derived, of=dim.of)
    op.location = location_of(dim.span)
    return op


def _declare(declared: Declared) -> DeclareOp:
    initial: Attribute | None = None
    if declared.initial is not None:
        type_ = compute_type(declared.type.element)
        if type_ == f32:
            initial = FloatAttr(float(declared.initial), f32)
        else:
            initial = IntegerAttr(int(declared.initial), type_)  # type: ignore[call-overload]
    op = DeclareOp(declared.name, declared.role, declared.type, initial, declared.ring)
    if declared.group:
        op.attributes["group"] = StringAttr(declared.group)
    if declared.stripes:
        op.attributes["stripes"] = IntegerAttr(declared.stripes, 64)
    op.location = location_of(declared.span)
    return op
