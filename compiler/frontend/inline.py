"""Calls of the program's own functions, replaced by what the functions say.

A function sees its parameters, dims and declared tensors. What it defines is its own in every call; an index that it
introduces is renamed where the caller has one of that name.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeAlias

from hetc.compiler.frontend import ast
from hetc.compiler.frontend.check_functions import check_functions
from hetc.compiler.frontend.depth import MAX_EXPRESSION_DEPTH
from hetc.compiler.frontend.environment import Environment
from hetc.source import Span

_Calling: TypeAlias = ast.Define | ast.Effect | ast.When
"""What calls functions: a statement, or the line of a block."""
# Functions are inlined: what a chain of them could become is bounded.
MAX_CALLS = 2_000


@dataclass
class _Names:
    """What the names of a function's body stand for in one call."""

    arguments: dict[str, ast.Expr]
    prefix: str
    locals: set[str] = field(default_factory=set)
    indices: dict[str, str] = field(default_factory=dict)


class Inliner:
    """Expands the calls of functions in statements. Mistakes in functions are told when it is made."""

    def __init__(self, pipeline: ast.Pipeline, environment: Environment):
        self.functions = check_functions(pipeline, environment)
        environment.functions.update(self.functions)
        self.used: set[str] = set()
        self._calls = 0

    def expand(self, statement: _Calling, environment: Environment) -> ast.Statement | None:
        """The statement without calls of functions, those in the block below it aside: inside of what they became, or
        None where it has none. Raises Refused after a diagnostic."""
        values = _values(statement)
        if not self.functions or not any(self._is_call(node) for value in values for node, _ in ast.walk(value)):
            return None
        return _Expansion(self, environment, statement).whole()

    def _is_call(self, expr: ast.Expr) -> bool:
        return isinstance(expr, ast.Call) and expr.function in self.functions

    def next_call(self, call: ast.Call, environment: Environment) -> int:
        self._calls += 1
        self.used.add(call.function)
        if self._calls > MAX_CALLS:
            raise environment.refuse("HET301", f"more than {MAX_CALLS} calls of functions", call.span)
        return self._calls


class _Expansion:
    """One statement, and the calls that stand in it, inner ones first."""

    def __init__(self, inliner: Inliner, environment: Environment, statement: _Calling):
        self.inliner, self.environment, self.statement = inliner, environment, statement
        self.taken = _names_in(statement)
        # Each call, with the statements of its body.
        self.bodies: list[tuple[ast.Function, Span, tuple[ast.Statement, ...]]] = []

    def whole(self) -> ast.Statement:
        """The statement wrapped in the calls that it held, so that errors point at them."""
        statements = self._rewritten()
        for function, span, body in reversed(self.bodies):
            statements = (ast.Inlined(function, span, (*body, *statements)),)
        return statements[0]

    def _rewritten(self) -> tuple[ast.Statement, ...]:
        statement = self.statement
        if isinstance(statement, ast.Effect):
            call = self.rewrite(replace(statement.call, function="%effect"))
            assert isinstance(call, ast.Call)
            return (replace(statement, call=replace(call, function=statement.call.function)),)
        if isinstance(statement, ast.When):
            return (replace(statement, condition=self._checked(self.rewrite(statement.condition))),)
        targets = tuple(self._target(target) for target in statement.targets)
        statement = replace(statement, targets=targets)
        value = statement.value
        whole = isinstance(value, ast.Call) and value.function in self.inliner.functions
        if not whole or statement.operator != "=":
            return (replace(statement, value=self._checked(self.rewrite(value))),)
        assert isinstance(value, ast.Call)
        results = self._call(value)
        if len(results) != len(targets):
            message = f"`{value.function}` gives {_count(len(results), 'result')}, not {len(targets)}"
            raise self.environment.refuse("HET108", message, statement.span)
        return tuple(
            replace(statement, targets=(target,), operator=_operator(target, result), value=self._checked(result))
            for target, result in zip(targets, results, strict=True)
        )

    def _target(self, target: ast.Target) -> ast.Target:
        """A target with the calls in its computed places replaced by their results."""
        indices = tuple(item if isinstance(item, ast.Index) else self.rewrite(item) for item in target.indices)
        return replace(target, indices=indices)

    def rewrite(self, expr: ast.Expr) -> ast.Expr:
        """An expression of the caller with its calls replaced by their results."""
        if isinstance(expr, ast.Call) and expr.function in self.inliner.functions:
            results = self._call(expr)
            if len(results) != 1:
                message = f"`{expr.function}` gives {len(results)} results; here one is expected"
                raise self.environment.refuse("HET108", message, expr.span)
            return results[0]
        return ast.replace_children(expr, self.rewrite)

    def _checked(self, expr: ast.Expr) -> ast.Expr:
        if any(depth > MAX_EXPRESSION_DEPTH for _, depth in ast.walk(expr)):
            message = f"this is more than {MAX_EXPRESSION_DEPTH} operations deep once its functions are inlined"
            raise self.environment.refuse("HET013", message, self.statement.span, help="split it into statements")
        return expr

    def _call(self, call: ast.Call) -> tuple[ast.Expr, ...]:
        """The results of one call; its statements go to `bodies`."""
        function = self.inliner.functions[call.function]
        arguments = self._arguments(function, call)
        # What a call became has indices that the caller does not name.
        self.taken |= {
            index.name
            for argument in arguments
            for node, _ in ast.walk(argument)
            if isinstance(node, ast.Call)
            for index in node.indices
        }
        number = self.inliner.next_call(call, self.environment)
        names = _Names(dict(zip((item.name for item in function.parameters), arguments, strict=True)), "")
        names.prefix = f"%{function.name}.{number}."
        self.environment.calls.append(ast.Inlined(function, call.span, ()))
        try:
            body = _Body(self.environment, names, self.taken)
            statements = tuple(body.statement(item) for item in function.statements)
            results = tuple(body.expression(item) for item in function.results)
            self.bodies.append((function, call.span, statements))
            # A result may call other functions in turn.
            return tuple(self.rewrite(item) for item in results)
        finally:
            self.environment.calls.pop()

    def _arguments(self, function: ast.Function, call: ast.Call) -> list[ast.Expr]:
        environment = self.environment
        if call.indices:
            message = f"`{call.function}` takes no index in brackets"
            raise environment.refuse("HET108", message, call.span, help=f"write `{call.function}(...)`")
        if call.keywords:
            message = f"`{call.function}` takes its arguments by position"
            raise environment.refuse("HET108", message, call.keywords[0].span)
        if len(call.arguments) != len(function.parameters):
            expected = _count(len(function.parameters), "argument")
            message = f"`{call.function}` takes {expected}, got {len(call.arguments)}"
            raise environment.refuse("HET108", message, call.span)
        arguments = [self.rewrite(item) for item in call.arguments]
        for given, argument in zip(call.arguments, arguments, strict=True):
            if function.statements and not isinstance(argument, ast.Name | ast.Number):
                message = f"`{call.function}` has statements, so its arguments are names and numbers"
                help = "define the value in a statement, then pass its name"
                raise environment.refuse("HET108", message, given.span, help=help)
        return arguments


class _Body:
    """A function's body as one call has it."""

    def __init__(self, environment: Environment, names: _Names, taken: set[str]):
        self.environment, self.names, self.taken = environment, names, taken

    def statement(self, statement: ast.Statement) -> ast.Statement:
        match statement:
            case ast.Effect():
                call = self.expression(statement.call)
                assert isinstance(call, ast.Call)
                return replace(statement, call=call)
            case ast.Define():
                self._introduce(name for target in statement.targets for name in index_names(target))
                value = self.expression(statement.value)
                targets = tuple(self._target(target) for target in statement.targets)
                return replace(statement, targets=targets, value=value)
            case ast.Repeat(count=count):
                inside = tuple(self.statement(item) for item in statement.statements)
                return replace(statement, count=self.expression(count), statements=inside)
            case ast.When(condition=condition):
                held = self.expression(condition)
                inside = tuple(self.statement(item) for item in statement.statements)
                return replace(statement, condition=held, statements=inside)
            case ast.Loop(index=index):
                self._introduce([index.name])
                extent = self.expression(statement.extent)
                inside = tuple(self.statement(item) for item in statement.statements)
                renamed = replace(index, name=self.names.indices.get(index.name, index.name))
                return replace(statement, index=renamed, extent=extent, statements=inside)
        raise AssertionError(statement)

    def _introduce(self, names: object) -> None:
        for name in names:  # type: ignore[attr-defined]
            if name in self.taken and name not in self.names.indices:
                number = 1
                while f"{name}_{number}" in self.taken:
                    number += 1
                self.names.indices[name] = f"{name}_{number}"
                self.taken.add(f"{name}_{number}")

    def _target(self, target: ast.Target) -> ast.Target:
        indices = tuple(
            self._index(item) if isinstance(item, ast.Index) else self.expression(item) for item in target.indices
        )
        name = target.name
        if name not in self.environment.declared:
            self.names.locals.add(name)
            name = self.names.prefix + name
        return replace(target, name=name, indices=indices)

    def _index(self, index: ast.Index) -> ast.Index:
        bound = self.expression(index.bound) if index.bound is not None else None
        return replace(index, name=self.names.indices.get(index.name, index.name), bound=bound)

    def expression(self, expr: ast.Expr) -> ast.Expr:
        """An expression of the body with the call's names in it."""
        names = self.names
        match expr:
            case ast.Name(name=name):
                if name in names.indices:
                    return replace(expr, name=names.indices[name])
                if name in names.arguments:
                    return names.arguments[name]
                return replace(expr, name=names.prefix + name) if name in names.locals else expr
            case ast.Access(name=name):
                if name in names.arguments:
                    name = self._tensor(expr)
                elif name in names.locals:
                    name = names.prefix + name
                return replace(expr, name=name, indices=tuple(map(self.expression, expr.indices)))
            case ast.Call():
                self._introduce(item.name for item in expr.indices)
                indices = tuple(map(self._index, expr.indices))
                keywords = tuple(replace(item, value=self.expression(item.value)) for item in expr.keywords)
                arguments = tuple(map(self.expression, expr.arguments))
                return replace(expr, indices=indices, arguments=arguments, keywords=keywords)
        return ast.replace_children(expr, self.expression)

    def _tensor(self, expr: ast.Access) -> str:
        """The caller's name of a parameter that the body indexes."""
        argument = self.names.arguments[expr.name]
        if isinstance(argument, ast.Name):
            return argument.name
        message = f"the function indexes `{expr.name}`, so this must be the name of a tensor"
        raise self.environment.refuse("HET108", message, argument.span, help="define it in a statement, then pass that")


def index_names(target: ast.Target) -> list[str]:
    """The names that stand as indices on the left, in computed places too."""
    found = []
    for item in target.indices:
        if isinstance(item, ast.Index):
            found.append(item.name)
        else:
            found += [node.name for node, _ in ast.walk(item) if isinstance(node, ast.Name)]
    return found


def _operator(target: ast.Target, result: ast.Expr) -> str:
    """`is`: the target becomes another name of a whole tensor."""
    return "is" if not target.indices and isinstance(result, ast.Name) else "="


def _values(statement: _Calling) -> list[ast.Expr]:
    """The expressions of a statement in which functions are called."""
    match statement:
        case ast.Effect(call=call):
            return [call]
        case ast.When(condition=condition):
            return [condition]
    places = [item for target in statement.targets for item in target.indices]
    return [statement.value, *(item for item in places if not isinstance(item, ast.Index))]


def _names_in(statement: _Calling) -> set[str]:
    nodes = [node for value in _values(statement) for node, _ in ast.walk(value)]
    found = {node.name for node in nodes if isinstance(node, ast.Name | ast.Access)}
    found |= {index.name for node in nodes if isinstance(node, ast.Call) for index in node.indices}
    if isinstance(statement, ast.Define):
        found |= {name for target in statement.targets for name in index_names(target)}
    return found


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
