"""The statements of a step, one after another: resolved, then lowered. What one defines, the next can read."""

from __future__ import annotations

from dataclasses import replace

from hetc.compiler.frontend.constructs.concat import expand_concat
from hetc.compiler.frontend.constructs.definition import augmented, lower_definition, resolve_definition
from hetc.compiler.frontend.constructs.loops import lower_loop, resolve_loop
from hetc.compiler.frontend.constructs.run_time_topk import expand_topk
from hetc.compiler.frontend.constructs.stages import pin, stage_around
from hetc.compiler.frontend.constructs.table import EFFECTS, construct_of
from hetc.compiler.frontend.constructs.update import is_update, lower_update, resolve_update
from hetc.compiler.frontend.constructs.when import lower_when
from hetc.compiler.frontend.expand.inline import Inliner
from hetc.compiler.frontend.expand.shadowing import with_own_names
from hetc.compiler.frontend.lower.emitter import StepEmitter
from hetc.compiler.frontend.resolve.environment import Environment, Refused
from hetc.compiler.frontend.resolve.targets import check_each_once, check_target, with_places
from hetc.compiler.frontend.syntax import ast
from hetc.compiler.frontend.syntax.elsewhere import instead_of


class StatementLowering:
    """Lowers the statements of a step, each whole or not at all."""

    def __init__(self, step: StepEmitter, inliner: Inliner):
        self.step = step
        self.inliner = inliner
        self.environment = step.environment

    def lower(self, statement: ast.Statement) -> None:
        """After an error the statement's names are poisoned: later uses of them say nothing more."""
        match statement:
            case ast.Repeat() | ast.Loop():
                with stage_around(statement, self.step):
                    self._loop(statement)
            case ast.Inlined():
                self._inlined(statement)
            case ast.When():
                with stage_around(statement, self.step):
                    self._when(statement)
            case ast.Stage():
                pin(statement, self.step)
                with self.step.in_stage(statement.name):
                    for inner in statement.statements:
                        self.lower(inner)
            case _:
                self._simple(statement)

    def _inlined(self, statement: ast.Inlined) -> None:
        """What a call became; errors in it point at the call."""
        self.environment.calls.append(statement)
        try:
            for inner in statement.statements:
                self.lower(inner)
        finally:
            self.environment.calls.pop()

    def _loop(self, loop: ast.Repeat | ast.Loop) -> None:
        told = len(self.environment.diagnostics)
        try:
            node = resolve_loop(loop, self.environment, self.inliner)
        except Refused:
            return
        lower_loop(node, self.step, self.lower, told)

    def _when(self, block: ast.When) -> None:
        try:
            expanded = self.inliner.expand(block, self.environment)
            if expanded is None:
                lower_when(block, self.step, self.lower)
        except Refused:
            return
        if expanded is not None:
            self.lower(expanded)

    def _simple(self, statement: ast.Define | ast.Effect) -> None:
        try:
            if isinstance(statement, ast.Define):
                check_each_once(statement, self.environment)
            expanded = self.inliner.expand(statement, self.environment)
            if expanded is not None:
                self.lower(expanded)
            elif isinstance(statement, ast.Effect):
                _effect(statement, self.step)
            else:
                _define(statement, self.step)
        except Refused:
            self.environment.poison(statement)


def _effect(statement: ast.Effect, step: StepEmitter) -> None:
    """A call that stands alone."""
    call, environment = statement.call, step.environment
    name = call.function
    if name in EFFECTS and not call.indices:
        EFFECTS[name].effect(call, step)
        return
    message = f"the result of `{name}` is not used"
    help = "a statement is `name[indices] = value`, `append(memory, rows)` or `clear(dim)`"
    if name not in environment.functions:
        help = instead_of(name) or help
    raise environment.refuse("HET108", message, statement.span, help=help)


def _define(statement: ast.Define, step: StepEmitter) -> None:
    """`targets = value`."""
    environment = step.environment
    statement = _prepared(statement, environment)
    if statement.operator == "is":
        _alias(statement, step)
        return
    statement = expand_concat(statement, environment)
    if is_update(statement, environment):
        lower_update(resolve_update(statement, environment), step)
        return
    if statement.operator != "=":
        statement = replace(statement, operator="=", value=augmented(statement, environment))
    value = statement.value
    several = expand_topk(statement, environment, step.fresh)
    if several is not None:
        for one in several:
            _define(one, step)
        return
    construct = construct_of(value)
    if construct is not None:
        assert isinstance(value, ast.Call)
        construct.define(statement, value, step)
        return
    if len(statement.targets) > 1:
        message = f"{len(statement.targets)} names on the left, but one value on the right"
        help = "topk, sort and quantize give several results, as do argmax and argmin over several indices"
        raise environment.refuse("HET108", message, statement.span, help=help)
    lower_definition(resolve_definition(statement.targets[0], value, statement.span, environment), step)


def _prepared(statement: ast.Define, environment: Environment) -> ast.Define:
    """The statement with its left side checked, and with no two indices in scope of one name."""
    targets = tuple(with_places(target, environment) for target in statement.targets)
    statement = with_own_names(replace(statement, targets=targets))
    for target in statement.targets:
        check_target(target, environment)
    return statement


def _alias(statement: ast.Define, step: StepEmitter) -> None:
    """`y = f(x)`, where the function gives a whole tensor: another name of it."""
    target, value = statement.targets[0], statement.value
    environment = step.environment
    assert isinstance(value, ast.Name)
    if target.name in environment.declared:
        message = f"the update of the memory `{target.name}` needs its indices"
        help = "give the result a name first, then write it element by element"
        raise environment.refuse("HET201", message, target.span, help=help)
    tensor = environment.tensor(value.name, value.span)
    step.define(target.name, target.name_span, tensor.value).constant = tensor.constant
