"""A function's body as one call has it: names of its own, parameters as what was passed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.syntax import ast
from hetc.compiler.vocabulary import REDUCTIONS


@dataclass
class BodyNames:
    """What the names of a function's body stand for in one call. values: what stands for a parameter in an expression.
    bounds: of indices that the call bounds. over_index: whether the function has indices."""

    arguments: dict[str, ast.Expr]
    prefix: str
    values: dict[str, ast.Expr] = field(default_factory=dict)
    locals: set[str] = field(default_factory=set)
    indices: dict[str, str] = field(default_factory=dict)
    bounds: dict[str, ast.Expr] = field(default_factory=dict)
    over_index: bool = False


class FunctionBody:
    """A function's body as one call has it. `scope`: the indices around, which hide what else has their names."""

    def __init__(self, environment: Environment, names: BodyNames, taken: set[str]):
        self.environment, self.names, self.taken = environment, names, taken
        self.scope: set[str] = set()

    def statement(self, statement: ast.Statement) -> ast.Statement:
        match statement:
            case ast.Effect():
                call = self.expression(statement.call)
                assert isinstance(call, ast.Call)
                return replace(statement, call=call)
            case ast.Define():
                self._introduce(name for target in statement.targets for name in index_names(target))
                free = {
                    item.name for target in statement.targets for item in target.indices if isinstance(item, ast.Index)
                }
                with self._under(free):
                    value = self.expression(statement.value)
                    targets = tuple(self._target(target) for target in statement.targets)
                return replace(statement, targets=targets, value=value)
            case ast.Loop(index=index):
                self._introduce([index.name])
                renamed = replace(index, name=self.names.indices.get(index.name, index.name))
                statement = replace(statement, index=renamed)
        head = ast.head_of(statement)
        inside = tuple(self.statement(item) for item in statement.statements)
        return ast.with_head(statement, None if head is None else self.expression(head), inside)

    @contextmanager
    def _under(self, indices: set[str]) -> Iterator[None]:
        """Names of indices mean these."""
        outer, self.scope = self.scope, self.scope | indices
        try:
            yield
        finally:
            self.scope = outer

    def _introduce(self, names: Iterable[str]) -> None:
        for name in names:
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
        own = index.bound
        bound = self.expression(own) if own is not None else self.names.bounds.get(index.name)
        return replace(index, name=self.names.indices.get(index.name, index.name), bound=bound)

    def expression(self, expr: ast.Expr) -> ast.Expr:
        """An expression of the body with the call's names in it."""
        names = self.names
        match expr:
            case ast.Name(name=name):
                if name in names.indices:
                    return replace(expr, name=names.indices[name])
                if name in names.values:
                    return names.values[name]
                return replace(expr, name=names.prefix + name) if name in names.locals - self.scope else expr
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
                with self._under({item.name for item in expr.indices}):
                    arguments = tuple(map(self.expression, expr.arguments))
                # A function over an index has values that are the same all along it.
                hoisted = names.over_index and bool(indices) and expr.function in REDUCTIONS
                return replace(expr, indices=indices, arguments=arguments, keywords=keywords, hoisted=hoisted)
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
