"""A syntax tree to a verified mp module: dims, declarations, the step, and what only the whole can tell."""

from __future__ import annotations

from collections.abc import Mapping

from xdsl.dialects.builtin import FloatAttr, IntegerAttr, ModuleOp, f32, i64
from xdsl.ir import Attribute, Block, Region, SSAValue

from hetc.compiler.frontend import ast
from hetc.compiler.frontend.declare import declare_growth, declare_tensors, element_of
from hetc.compiler.frontend.dims import declare_dims
from hetc.compiler.frontend.emit_expression import location_of
from hetc.compiler.frontend.emit_statement import StatementEmitter
from hetc.compiler.frontend.emit_step import StepEmitter
from hetc.compiler.frontend.environment import Declared, Dim, Environment, Refused, Tensor
from hetc.diagnostics import Diagnostics, Related
from hetc.dialects.mp import (
    ELEMENT_TYPES,
    CommitOp,
    DeclareOp,
    DimAttr,
    DimOp,
    GetOp,
    OutputOp,
    PipelineOp,
    StepOp,
    TensorType,
    compute_type,
)

# Device kinds that a stage can be pinned to.
DEVICE_KINDS = ("gpu", "fpga")


def emit_pipeline(pipeline: ast.Pipeline, overrides: Mapping[str, int], diagnostics: Diagnostics) -> ModuleOp | None:
    """The module of a pipeline, or None where `diagnostics` now holds errors."""
    environment = Environment(diagnostics)
    declare_dims(pipeline, overrides, environment)
    declare_growth(pipeline, environment)
    declare_tensors(pipeline, environment)
    step = StepEmitter(environment, Block())
    _get_declared(step)
    _note_later(pipeline, environment)
    statements = StatementEmitter(step)
    pins: dict[str, str] = {}
    for stage in pipeline.stages:
        _pin(stage, pins, environment)
        step.stage = stage.name
        for statement in stage.statements:
            statements.emit(statement)
    step.stage = ""
    _check_appends(pipeline, environment)
    _finish_step(pipeline, step)
    if diagnostics.has_errors:
        return None
    _warn_unused(pipeline, environment)
    return _module(pipeline, step, pins)


def _get_declared(step: StepEmitter) -> None:
    """Every declared tensor as a value; those that nothing reads are dropped at the end."""
    for declared in step.environment.declared.values():
        value = step.add(GetOp(declared.name, declared.type), declared.span).results[0]
        step.environment.tensors[declared.name] = Tensor(declared.name, declared.span, value, declared=declared)


def _note_later(pipeline: ast.Pipeline, environment: Environment) -> None:
    for stage in pipeline.stages:
        for statement in ast.simple_statements(stage.statements):
            for target in statement.targets if isinstance(statement, ast.Define) else ():
                if target.name not in environment.declared:
                    environment.later.setdefault(target.name, target.name_span)


def _pin(stage: ast.Stage, pins: dict[str, str], environment: Environment) -> None:
    if stage.pin is None:
        return
    kind = stage.pin.name
    if kind not in DEVICE_KINDS:
        message = f"no backend makes programs for a device of kind `{kind}`"
        help = f"stages are pinned to {' or '.join(DEVICE_KINDS)}"
        environment.diagnostics.error("HET302", message, stage.pin.span, help=help)
    elif pins.setdefault(stage.name, kind) != kind:
        message = f"the stage `{stage.name}` is pinned to `{pins[stage.name]}` before and to `{kind}` here"
        environment.diagnostics.error("HET302", message, stage.pin.span)


def _check_appends(pipeline: ast.Pipeline, environment: Environment) -> None:
    """Every memory along a dim that grows is written, or its new rows would hold nothing."""
    for declared in environment.declared.values():
        growing = [key for key in declared.type.shape if isinstance(key, str) and key in environment.growth]
        if not growing or declared.name in environment.appended or declared.role != "memory":
            continue
        spans = {growth.dim.name: growth.span for growth in pipeline.grows}
        message = f"`{declared.name}` grows along `{growing[0]}`, but nothing is appended to it"
        related = (Related(spans[growing[0]], "the step grows it"),)
        help = f"write `append({declared.name}, ...)` in a stage"
        environment.diagnostics.error("HET200", message, declared.span, related=related, help=help)


def _finish_step(pipeline: ast.Pipeline, step: StepEmitter) -> None:
    """Outputs, then the memories' new values."""
    environment = step.environment
    if not pipeline.outputs and not environment.declared:
        return
    # What no stage computed (an input or a memory converted, a named constant) is made in the last one.
    last_stage = pipeline.stages[-1].name if pipeline.stages else "apply"
    seen: dict[str, ast.Output] = {}
    for output in pipeline.outputs:
        if output.name in seen:
            related = (Related(seen[output.name].span, "the first time"),)
            environment.diagnostics.error("HET101", f"`{output.name}` is an output twice", output.span, related=related)
            continue
        seen[output.name] = output
        step.stage = last_stage
        try:
            value = _output_value(output, step)
        except Refused:
            continue
        finally:
            step.stage = ""
        assert isinstance(value.type, TensorType)
        step.add(OutputOp(output.name, value, value.type.element), output.span)
    for declared in environment.declared.values():
        if declared.role != "memory":
            continue
        newest = environment.tensors[declared.name].value
        if newest is not None and not isinstance(newest.owner, GetOp):
            step.add(CommitOp(declared.name, newest), declared.span)


def _output_value(output: ast.Output, step: StepEmitter) -> SSAValue:
    environment = step.environment
    if output.name in environment.dims:
        raise environment.refuse("HET101", f"`{output.name}` is a dim, not a tensor", output.span)
    tensor = environment.tensor(output.name, output.span)
    value = tensor.value
    if value is None:
        assert tensor.constant is not None
        value = step.compute((), {}, ast.Number(tensor.constant, output.span), output.span, output.name)
    return _converted(output, value, step)


def _converted(output: ast.Output, value: SSAValue, step: StepEmitter) -> SSAValue:
    environment = step.environment
    type_ = value.type
    assert isinstance(type_, TensorType)
    if type_.is_sparse:
        raise environment.refuse("HET301", "a sparse tensor as an output is not supported yet", output.span)
    if output.dtype is None:
        return value
    element = ELEMENT_TYPES[element_of(output.dtype, environment)]
    if type_.element == element:
        return value
    # A memory keeps the element type that it is declared with.
    replaced = step.retype(value, element) if output.name not in environment.declared else None
    if replaced is not None:
        environment.tensors[output.name].value = replaced
        return replaced
    producer = value.owner
    if not isinstance(producer, Block) and "stage" in producer.attributes:
        step.stage = producer.attributes["stage"].data  # type: ignore[attr-defined]
    return step.copy(value, element, output.span)


def _warn_unused(pipeline: ast.Pipeline, environment: Environment) -> None:
    outputs = {output.name for output in pipeline.outputs}
    for item in pipeline.declarations:
        if item.name not in environment.used | outputs:
            environment.diagnostics.warning("HET109", f"the {item.role} `{item.name}` is never used", item.name_span)
    for dim in pipeline.dims:
        if dim.name not in environment.used:
            environment.diagnostics.warning("HET109", f"the dim `{dim.name}` is never used", dim.name_span)
    for stage in pipeline.stages:
        for statement in ast.simple_statements(stage.statements):
            for target in statement.targets if isinstance(statement, ast.Define) else ():
                if target.name not in environment.used | outputs | set(environment.declared):
                    message = f"`{target.name}` is computed but never used"
                    environment.diagnostics.warning("HET109", message, target.name_span)


def _module(pipeline: ast.Pipeline, step: StepEmitter, pins: Mapping[str, str]) -> ModuleOp:
    environment = step.environment
    for op in list(step.block.ops):
        if isinstance(op, GetOp) and op.result.first_use is None:
            op.detach()
            op.erase()
    place = location_of(pipeline.name_span)
    block = Block()
    for dim in environment.dims.values():
        block.add_op(_dim(dim))
    for declared in environment.declared.values():
        block.add_op(_declare(declared))
    grows: dict[str, Attribute] = {
        name: DimAttr(by) if isinstance(by, str) else IntegerAttr(by, i64) for name, by in environment.growth.items()
    }
    step_op = StepOp(pipeline.name, grows, pins, Region(step.block))
    step_op.location = place
    block.add_op(step_op)
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
    op = DeclareOp(declared.name, declared.role, declared.type, initial)
    op.location = location_of(declared.span)
    return op
