"""Calls of the program's own functions, replaced by what the functions say.

A function sees its parameters, dims and declared tensors. What it defines is its own in every call; an index that it
introduces is renamed where the caller has one of that name.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TypeAlias

from hetc.compiler.frontend.expand.check_functions import check_functions
from hetc.compiler.frontend.expand.inline_body import BodyNames, FunctionBody, index_names
from hetc.compiler.frontend.expand.prelude import prelude
from hetc.compiler.frontend.resolve.environment import Environment, Refused
from hetc.compiler.frontend.syntax import ast
from hetc.compiler.frontend.syntax.depth import MAX_EXPRESSION_DEPTH
from hetc.source import Span

_Calling: TypeAlias = ast.Define | ast.Effect | ast.When
"""What calls functions: a statement, or the line of a block."""
# Functions are inlined: what a chain of them could become is bounded. Nine that each call the one before twice are 512.
MAX_OPERATIONS = 20_000
MAX_CALLS_OF_A_STATEMENT = 64
"""Calls that a statement may hold or stand in, all of those in functions that it calls counted."""


class Inliner:
    """Expands the calls of functions in statements: the program's own, and those of the prelude that it does not
    define. Mistakes in functions are told when it is made."""

    def __init__(self, pipeline: ast.Pipeline, environment: Environment):
        self.functions = prelude() | check_functions(pipeline, environment)
        environment.functions.update(self.functions)
        self.used: set[str] = set()
        self._calls = 0
        self._operations = 0
        self._sizes = {name: _size(function) for name, function in self.functions.items()}

    def expand(self, statement: _Calling, environment: Environment) -> ast.Statement | None:
        """The statement without calls of functions, those in the block below it aside: inside of what they became, or
        None where it has none. Raises Refused after a diagnostic."""
        values = _values(statement)
        if self._operations > MAX_OPERATIONS:
            raise Refused  # told once
        if not any(self._is_call(node) for value in values for node, _ in ast.walk(value)):
            return None
        return _Expansion(self, environment, statement).whole()

    def _is_call(self, expr: ast.Expr) -> bool:
        return isinstance(expr, ast.Call) and expr.function in self.functions

    def next_call(self, call: ast.Call, environment: Environment) -> int:
        self._calls += 1
        self.used.add(call.function)
        self.count(self._sizes[call.function], call.function, call.span, environment)
        return self._calls

    def count(self, operations: int, name: str, span: Span, environment: Environment) -> None:
        """Counts what a call became. Raises Refused after a diagnostic where all calls are too much together."""
        self._operations += operations
        if self._operations > MAX_OPERATIONS:
            raise self.too_much(name, span, environment)

    def too_much(self, name: str, span: Span, environment: Environment) -> Refused:
        """What is said once, at the call that passes the limit; no call is expanded after it."""
        self._operations = MAX_OPERATIONS + 1
        message = f"the calls of functions become more than {MAX_OPERATIONS:,} operations in all"
        help = "define a tensor for what is used again, or write a loop (`repeat`, `for`)"
        return _refuse_call(message, name, span, environment, help)


def _size(function: ast.Function) -> int:
    """How many operations the statements of a function are."""
    values = [value for item in ast.simple_statements(function.statements) for value in _values(item)]
    return 1 + sum(1 for value in values for _ in ast.walk(value))


def _refuse_call(message: str, name: str, span: Span, environment: Environment, help: str) -> Refused:
    """Refuses the call in the program, whatever stands between it and this call of `name`."""
    if environment.calls:
        outer = environment.calls[0]
        name, span = outer.function.name, outer.call_span
    label = f"in this call of `{name}`"
    environment.diagnostics.error("HET013", message, span, label=label, help=help)
    return Refused()


class _Expansion:
    """One statement, and the calls that stand in it, inner ones first."""

    def __init__(self, inliner: Inliner, environment: Environment, statement: _Calling):
        self.inliner, self.environment, self.statement = inliner, environment, statement
        self.taken = _names_in(statement)
        self.around = len(environment.calls)
        # Each call, with the statements of its body.
        self.bodies: list[tuple[ast.Function, Span, tuple[ast.Statement, ...]]] = []
        # Arguments by a name of their own. They hold no calls any more, and a function may use one any number of times.
        self.arguments: dict[str, ast.Expr] = {}

    def whole(self) -> ast.Statement:
        """The statement wrapped in the calls that it held, so that errors point at them."""
        statements = self._rewritten()
        for function, span, body in reversed(self.bodies):
            statements = (ast.Inlined(function, span, (*body, *statements)),)
        return statements[0]

    def _rewritten(self) -> tuple[ast.Statement, ...]:
        statement = self.statement
        if isinstance(statement, ast.Effect):
            call = ast.replace_children(statement.call, partial(self.rewrite, depth=2))
            assert isinstance(call, ast.Call)
            return (replace(statement, call=call),)
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

    def rewrite(self, expr: ast.Expr, depth: int = 1) -> ast.Expr:
        """An expression of the caller with its calls replaced by their results. It stands `depth` operations deep."""
        if depth > MAX_EXPRESSION_DEPTH:
            raise self._too_deep()
        if isinstance(expr, ast.Name) and expr.name in self.arguments:
            return self.arguments[expr.name]
        if isinstance(expr, ast.Call) and expr.function in self.inliner.functions:
            results = self._call(expr, depth)
            if len(results) != 1:
                message = f"`{expr.function}` gives {len(results)} results; here one is expected"
                raise self.environment.refuse("HET108", message, expr.span)
            return results[0]
        return ast.replace_children(expr, partial(self.rewrite, depth=depth + 1))

    def _checked(self, expr: ast.Expr) -> ast.Expr:
        """What a statement's expression became, counted."""
        operations = self._measured(expr)
        if self.bodies:
            function, span, _ = self.bodies[0]
            self.inliner.count(operations, function.name, span, self.environment)
        return expr

    def _measured(self, expr: ast.Expr) -> int:
        """The operations of an expression without calls, counted up to the limit: where functions use a parameter
        twice, they are many."""
        number = 0
        for number, (_, depth) in enumerate(ast.walk(expr), 1):
            if depth > MAX_EXPRESSION_DEPTH:
                raise self._too_deep()
            if number > MAX_OPERATIONS:
                break
        return number

    def _too_deep(self) -> Refused:
        message = f"this is more than {MAX_EXPRESSION_DEPTH} operations deep once its functions are inlined"
        return self.environment.refuse("HET013", message, self.statement.span, help="split it into statements")

    def _call(self, call: ast.Call, depth: int = 1) -> tuple[ast.Expr, ...]:
        """The results of one call; its statements go to `bodies`."""
        function = self.inliner.functions[call.function]
        if self.around + len(self.bodies) >= MAX_CALLS_OF_A_STATEMENT:
            message = (
                f"more than {MAX_CALLS_OF_A_STATEMENT} calls of functions inside of each other, or in one statement"
            )
            raise _refuse_call(
                message, call.function, call.span, self.environment, "split it into statements, or write a loop"
            )
        arguments = self._arguments(function, call, depth)
        # What a call became has indices that the caller does not name.
        self.taken |= {
            index.name
            for argument in arguments
            for node, _ in ast.walk(argument)
            if isinstance(node, ast.Call)
            for index in node.indices
        }
        number = self.inliner.next_call(call, self.environment)
        parameters = [item.name for item in function.parameters]
        names = BodyNames(dict(zip(parameters, arguments, strict=True)), "")
        names.values = dict(zip(parameters, map(self._named, arguments), strict=True))
        names.over_index = bool(function.indices)
        for item, index in zip(function.indices, call.indices, strict=True):
            names.indices[item.name] = index.name
            names.bounds |= {item.name: self.rewrite(index.bound, depth)} if index.bound is not None else {}
        names.prefix = f"%{function.name}.{number}."
        self.environment.calls.append(ast.Inlined(function, call.span, ()))
        try:
            body = FunctionBody(self.environment, names, self.taken)
            statements = tuple(body.statement(item) for item in function.statements)
            results = tuple(body.expression(item) for item in function.results)
            self.bodies.append((function, call.span, statements))
            # A result may call other functions in turn.
            return tuple(self.rewrite(item, depth) for item in results)
        finally:
            self.environment.calls.pop()

    def _named(self, argument: ast.Expr) -> ast.Expr:
        """A name that `rewrite` replaces by the argument, so that what it holds is not walked again in each place."""
        if isinstance(argument, ast.Name | ast.Number | ast.Boolean):
            return argument
        name = f"%argument.{len(self.arguments)}"
        self.arguments[name] = argument
        return ast.Name(name, argument.span)

    def _arguments(self, function: ast.Function, call: ast.Call, depth: int) -> list[ast.Expr]:
        environment = self.environment
        if len(call.indices) != len(function.indices):
            expected = _count(len(function.indices), "index", "indices") if function.indices else "no index"
            message = f"`{call.function}` takes {expected} in brackets"
            brackets = f"[{', '.join(item.name for item in function.indices)}]" if function.indices else ""
            raise environment.refuse("HET108", message, call.span, help=f"write `{call.function}{brackets}(...)`")
        if call.keywords:
            message = f"`{call.function}` takes its arguments by position"
            raise environment.refuse("HET108", message, call.keywords[0].span)
        if len(call.arguments) != len(function.parameters):
            expected = _count(len(function.parameters), "argument")
            message = f"`{call.function}` takes {expected}, got {len(call.arguments)}"
            raise environment.refuse("HET108", message, call.span)
        arguments = [self.rewrite(item, depth + 1) for item in call.arguments]
        for argument in arguments:
            if self._measured(argument) > MAX_OPERATIONS:
                raise self.inliner.too_much(call.function, call.span, self.environment)
        for given, argument in zip(call.arguments, arguments, strict=True):
            if function.statements and not isinstance(argument, ast.Name | ast.Number | ast.Boolean):
                message = f"`{call.function}` has statements, so its arguments are names and literals"
                help = "define the value in a statement, then pass its name"
                raise environment.refuse("HET108", message, given.span, help=help)
        return arguments


def _operator(target: ast.Target, result: ast.Expr) -> str:
    """`is`: the target becomes another name of a whole tensor."""
    return "is" if not target.indices and isinstance(result, ast.Name) else "="


def _values(statement: _Calling) -> list[ast.Expr]:
    """The expressions of a statement in which functions are called."""
    match statement:
        case ast.Effect(call=call):
            # The call itself stands alone: a function there is refused, since nothing uses its result.
            return list(ast.children(call))
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


def _count(number: int, noun: str, several: str = "") -> str:
    return f"{number} {noun if number == 1 else several or noun + 's'}"
