"""One step of a pipeline: its statements, its outputs, and the memories' new values."""

from __future__ import annotations

from xdsl.dialects.builtin import IntegerAttr, i64
from xdsl.ir import Attribute, Block, Region, SSAValue

from hetc.compiler.frontend.expand.inline import Inliner
from hetc.compiler.frontend.lower.emitter import StepEmitter
from hetc.compiler.frontend.lower.expressions import location_of
from hetc.compiler.frontend.lower.missing_picks import warn_of_missing_picks
from hetc.compiler.frontend.resolve import typed
from hetc.compiler.frontend.resolve.declare import check_packed, declare_growth, element_of
from hetc.compiler.frontend.resolve.environment import Environment, Refused
from hetc.compiler.frontend.resolve.symbols import Tensor
from hetc.compiler.frontend.statements import StatementLowering
from hetc.compiler.frontend.syntax import ast
from hetc.compiler.vocabulary import EFFECTS
from hetc.diagnostics import Related
from hetc.dialects.mp import ELEMENT_TYPES, CommitOp, DimAttr, GetOp, OutputOp, StepOp, TensorType


def build_step(tree: ast.Step, environment: Environment, inliner: Inliner) -> StepOp:
    """The op of one step. Errors go to the environment's diagnostics; then the op is not to be used."""
    declare_growth(tree, environment)
    _take_inputs(tree, environment)
    step = StepEmitter(environment, Block())
    _get_declared(step)
    _note_later(tree, environment)
    statements = StatementLowering(step, inliner)
    for statement in tree.statements:
        statements.lower(statement)
    _check_appends(tree, environment)
    _finish(tree, step)
    if not environment.diagnostics.has_errors:
        _drop_unused(step)
        warn_of_missing_picks(step.block, tree.outputs, environment)
    grows: dict[str, Attribute] = {
        name: DimAttr(by) if isinstance(by, str) else IntegerAttr(by, i64) for name, by in environment.growth.items()
    }
    op = StepOp(tree.name, grows, step.pins, Region(step.block))
    op.location = location_of(tree.name_span)
    return op


def _take_inputs(tree: ast.Step, environment: Environment) -> None:
    """Inputs that the step does not name are out of its reach."""
    if tree.inputs is None:
        return
    taken = {name.name for name in tree.inputs}
    inputs = [item.name for item in environment.declared.values() if item.role == "input"]
    for name in tree.inputs:
        if name.name not in inputs:
            environment.unknown(name.name, name.span, "input", inputs)
    environment.outside.update((name, tree.name_span) for name in inputs if name not in taken)


def _drop_unused(step: StepEmitter) -> None:
    for op in list(step.block.ops):
        if isinstance(op, GetOp) and op.result.first_use is None:
            op.detach()
            op.erase()


def _get_declared(step: StepEmitter) -> None:
    """Every declared tensor as a value; those that nothing reads are dropped at the end."""
    for declared in step.environment.declared.values():
        if declared.name in step.environment.outside:
            continue
        value = step.add(GetOp(declared.name, declared.type), declared.span).results[0]
        step.environment.tensors[declared.name] = Tensor(declared.name, declared.span, value, declared=declared)


def _note_later(step: ast.Step, environment: Environment) -> None:
    for statement in ast.simple_statements(step.statements):
        for target in statement.targets if isinstance(statement, ast.Define) else ():
            if target.name not in environment.declared:
                environment.later.setdefault(target.name, target.name_span)


def _check_appends(step: ast.Step, environment: Environment) -> None:
    """Every memory along a dim that grows is written, or its new rows would hold nothing."""
    unclear = _handed_on(step, environment) if environment.diagnostics.has_errors else set()
    for declared in environment.declared.values():
        written = declared.name in environment.appended or declared.name in unclear
        growing = [key for key in declared.type.shape if isinstance(key, str) and key in environment.growth]
        if not growing or written or declared.role != "memory":
            continue
        spans = {growth.dim.name: growth.span for growth in step.grows}
        message = f"`{declared.name}` grows along `{growing[0]}`, but nothing is appended to it"
        related = (Related(spans[growing[0]], "the step grows it"),)
        help = f"write `append({declared.name}, ...)` in a stage"
        environment.diagnostics.error("HET200", message, declared.span, related=related, help=help)


def _handed_on(step: ast.Step, environment: Environment) -> set[str]:
    """What the step hands to `append` or to functions, which may append to it: unknown where there is a mistake."""
    found = ast.simple_statements(step.statements)
    values = [item.call if isinstance(item, ast.Effect) else item.value for item in found]
    calls = [node for value in values for node, _ in ast.walk(value) if isinstance(node, ast.Call)]
    taking = {*EFFECTS, *environment.functions, *environment.broken}
    kept = [call for call in calls if call.function in taking]
    names = [node for call in kept for node, _ in ast.walk(call) if isinstance(node, ast.Name | ast.Access)]
    return {node.name for node in names}


def _finish(tree: ast.Step, step: StepEmitter) -> None:
    """Outputs, then the memories' new values."""
    environment = step.environment
    if not tree.outputs and not environment.declared:
        return
    # What no stage computed (an input or a memory converted, a named constant) is made in the last one.
    *_, last_stage = ("apply", *(stage.name for stage in ast.stages_of(tree.statements)))
    seen: dict[str, ast.Output] = {}
    for output in tree.outputs:
        if output.name in seen:
            related = (Related(seen[output.name].span, "the first time"),)
            environment.diagnostics.error("HET101", f"`{output.name}` is an output twice", output.span, related=related)
            continue
        seen[output.name] = output
        step.stage = last_stage
        try:
            value = _output_value(output, step)
            assert isinstance(value.type, TensorType)
            check_packed(value.type, f"rows of the output `{output.name}`", output.span, environment)
        except Refused:
            continue
        finally:
            step.stage = ""
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
        value = step.compute((), typed.Literal(tensor.constant, output.span), output.span, output.name)
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
