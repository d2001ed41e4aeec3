"""What a program's own functions must look like, before any of them is called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hetc.compiler.frontend.resolve.environment import Environment, Refused
from hetc.compiler.frontend.resolve.functions import DTYPES
from hetc.compiler.frontend.syntax import ast
from hetc.compiler.vocabulary import FUNCTIONS, OPTION_WORDS
from hetc.diagnostics import Related

# Words that stand among a call's arguments and name no value.
_WORDS = (*DTYPES, *OPTION_WORDS)


def check_functions(pipeline: ast.Pipeline, environment: Environment) -> dict[str, ast.Function]:
    """The functions that can be called, by name; the others are told and left out."""
    found: dict[str, ast.Function] = {}
    for function in pipeline.functions:
        try:
            _check_name(function, found, environment)
            _check_parameters(function, environment)
            _Body(function, environment).check()
        except Refused:
            environment.broken.add(function.name)
        else:
            found[function.name] = function
    for function in list(found.values()):
        _check_recursion(function, found, environment)
    return found


def _check_name(function: ast.Function, before: dict[str, ast.Function], environment: Environment) -> None:
    name = function.name
    taken = environment.declared_names()
    taken.update((item.name, item.name_span) for item in before.values())
    if name in taken:
        related = (Related(taken[name], "first declared here"),)
        raise environment.refuse("HET101", f"the name `{name}` is taken", function.name_span, related=related)
    if name in (*FUNCTIONS, *DTYPES):
        raise environment.refuse("HET101", f"`{name}` is a function of the language", function.name_span)


def _check_parameters(function: ast.Function, environment: Environment) -> None:
    seen: dict[str, ast.Name] = {}
    for parameter in (*function.indices, *function.parameters):
        if parameter.name in seen:
            related = (Related(seen[parameter.name].span, "the first time"),)
            message = f"`{parameter.name}` is a parameter twice"
            raise environment.refuse("HET101", message, parameter.span, related=related)
        seen[parameter.name] = parameter


class _Body:
    """Every name in a function is a parameter, its own, a dim or a declared tensor."""

    def __init__(self, function: ast.Function, environment: Environment):
        self.function, self.environment = function, environment
        self.parameters = {item.name for item in function.parameters}
        self.known = {
            *(item.name for item in function.indices),
            *self.parameters,
            *environment.dims,
            *environment.declared,
            *environment.broken,
        }

    def check(self) -> None:
        self._statements(self.function.statements)
        for result in self.function.results:
            self._expression(result, ())

    def _statements(self, statements: Iterable[ast.Statement]) -> None:
        for statement in statements:
            match statement:
                case ast.Define():
                    self._define(statement)
                case ast.Effect(call=call):
                    self._expression(call, ())
                case ast.Repeat(count=count):
                    self._expression(count, ())
                    self._statements(statement.statements)
                case ast.Stage():
                    self._statements(statement.statements)
                case ast.When(condition=condition):
                    # An index of the condition runs over the rows of what is written inside.
                    rows = [node.name for node, _ in ast.walk(condition) if isinstance(node, ast.Name)]
                    self._expression(condition, rows)
                    self._statements(statement.statements)
                case ast.Loop(index=index):
                    self._expression(statement.extent, ())
                    self.known.add(index.name)
                    self._statements(statement.statements)

    def _define(self, statement: ast.Define) -> None:
        names: list[str] = []
        for target in statement.targets:
            if target.name in self.parameters:
                message = f"the parameter `{target.name}` is written; a function defines names of its own"
                raise self.environment.refuse("HET101", message, target.name_span)
            for item in target.indices:
                if isinstance(item, ast.Index):
                    names.append(item.name)
                    if item.bound is not None:
                        self._expression(item.bound, ())
                else:
                    names += [node.name for node, _ in ast.walk(item) if isinstance(node, ast.Name)]
        self._expression(statement.value, names)
        self.known.update(target.name for target in statement.targets)

    def _expression(self, expr: ast.Expr, indices: Iterable[str]) -> None:
        scope = {*self.known, *indices}
        for node, _ in ast.walk(expr):
            if isinstance(node, ast.Call):
                scope.update(index.name for index in node.indices)
        for node, _ in ast.walk(expr):
            if isinstance(node, ast.Name | ast.Access) and node.name not in scope and node.name not in _WORDS:
                span = node.name_span if isinstance(node, ast.Access) else node.span
                raise self.environment.unknown(node.name, span, "name", self.known)


def _check_recursion(function: ast.Function, functions: dict[str, ast.Function], environment: Environment) -> None:
    """Takes a function that reaches itself out of `functions`."""
    reached: set[str] = set()
    pending = [function]
    while pending:
        for call in _calls(pending.pop()):
            if call.function == function.name:
                message = f"`{function.name}` calls itself; functions are inlined"
                environment.refuse("HET101", message, call.span)
                functions.pop(function.name)
                environment.broken.add(function.name)
                return
            if call.function in functions and call.function not in reached:
                reached.add(call.function)
                pending.append(functions[call.function])


def _calls(function: ast.Function) -> list[ast.Call]:
    values: list[ast.Expr] = list(function.results)
    for statement in ast.simple_statements(function.statements):
        values.append(statement.value if isinstance(statement, ast.Define) else statement.call)
    values += _conditions(function.statements)
    return [node for value in values for node, _ in ast.walk(value) if isinstance(node, ast.Call)]


def _conditions(statements: Iterable[ast.Statement]) -> Iterator[ast.Expr]:
    """The conditions of blocks."""
    for statement in statements:
        if isinstance(statement, ast.When):
            yield statement.condition
        if not isinstance(statement, ast.Define | ast.Effect):
            yield from _conditions(statement.statements)
