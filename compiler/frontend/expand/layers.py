"""The layers that a loop goes through: `w[l, d, e]` in `for l in L` becomes `w[l]` at `[d, e]`.

A tensor that a loop reads by layers stands in its body under a name of its own, `w[l]`, without the first extent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

from hetc.compiler.frontend.syntax import ast


def layer_name(tensor: str, loop: str) -> str:
    """What the layer of a tensor is called in the body."""
    return f"{tensor}[{loop}]"


def simple_statements(
    statements: tuple[ast.Statement, ...], guarded: bool = False
) -> Iterator[tuple[ast.Define | ast.Effect, bool]]:
    """The statements in order of the text, and whether a `when` inside of the block stands around them."""
    for statement in statements:
        if isinstance(statement, ast.Define | ast.Effect):
            yield statement, guarded
        else:
            yield from simple_statements(statement.statements, guarded or isinstance(statement, ast.When))


def assigned(statements: tuple[ast.Statement, ...]) -> dict[str, bool]:
    """The names that a block defines or writes, in order; whether all of that stands in a `when`."""
    found: dict[str, bool] = {}
    for statement, guarded in simple_statements(statements):
        for name in _written(statement):
            found[name] = found.get(name, True) and guarded
    return found


def _written(statement: ast.Define | ast.Effect) -> list[str]:
    if isinstance(statement, ast.Define):
        return [target.name for target in statement.targets]
    memory = statement.call.arguments[0] if statement.call.arguments else None
    return [memory.name] if isinstance(memory, ast.Name | ast.Access) else []


@dataclass
class Uses:
    """The names that a block reads or writes: by the loop's layer (`w[l, ...]`), and otherwise."""

    layered: set[str] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)

    def add(self, statements: tuple[ast.Statement, ...], loop: str) -> Uses:
        for statement in statements:
            for expr in _expressions(statement):
                self._expression(expr, loop)
            if isinstance(statement, ast.Define):
                for target in statement.targets:
                    (self.layered if _target_is_layer(target, loop) else self.whole).add(target.name)
            if not isinstance(statement, ast.Define | ast.Effect):
                hidden = isinstance(statement, ast.Loop) and statement.index.name == loop
                self.add(statement.statements, "" if hidden else loop)
        return self

    def _expression(self, expr: ast.Expr, loop: str) -> None:
        if isinstance(expr, ast.Name):
            self.whole.add(expr.name)
        elif isinstance(expr, ast.Access):
            (self.layered if _is_layer(expr.indices, loop) else self.whole).add(expr.name)
        elif isinstance(expr, ast.Call) and any(index.name == loop for index in expr.indices):
            loop = ""
        for child in ast.children(expr):
            self._expression(child, loop)


def _is_layer(indices: tuple[ast.Expr, ...], loop: str) -> bool:
    return bool(indices and loop) and isinstance(indices[0], ast.Name) and indices[0].name == loop


def _target_is_layer(target: ast.Target, loop: str) -> bool:
    first = target.indices[0] if target.indices else None
    return isinstance(first, ast.Index | ast.Name) and first.name == loop and getattr(first, "bound", None) is None


def _expressions(statement: ast.Statement) -> Iterator[ast.Expr]:
    """The expressions of a statement, those of the statements inside of it aside."""
    match statement:
        case ast.Define():
            yield statement.value
            for target in statement.targets:
                for item in target.indices:
                    if not isinstance(item, ast.Index):
                        yield item
                    elif item.bound is not None:
                        yield item.bound
        case ast.Effect(call=call):
            yield call
        case _:
            head = ast.head_of(statement)
            if head is not None:
                yield head


def by_layers(statement: ast.Statement, loop: str, sliced: Collection[str]) -> ast.Statement:
    """The statement with the layers of the tensors in `sliced` under their own names, and with the loop's index as a
    value wherever it stands; an inner index of the same name hides it."""
    match statement:
        case ast.Define():
            targets = tuple(_target(target, loop, sliced) for target in statement.targets)
            return replace(statement, targets=targets, value=_expression(statement.value, loop, sliced))
        case ast.Effect(call=call):
            changed = ast.replace_children(call, lambda child: _expression(child, loop, sliced))
            assert isinstance(changed, ast.Call)
            return replace(statement, call=changed)
    head, inside = ast.head_of(statement), statement.statements
    if not isinstance(statement, ast.Loop) or statement.index.name != loop:
        inside = tuple(by_layers(inner, loop, sliced) for inner in inside)
    return ast.with_head(statement, None if head is None else _expression(head, loop, sliced), inside)


def _target(target: ast.Target, loop: str, sliced: Collection[str]) -> ast.Target:
    indices: list[ast.Index | ast.Expr] = []
    for item in target.indices:
        if not isinstance(item, ast.Index):
            indices.append(_expression(item, loop, sliced))
        elif item.name == loop and item.bound is None:
            indices.append(ast.Name(loop, item.span))
        else:
            bound = None if item.bound is None else _expression(item.bound, loop, sliced)
            indices.append(replace(item, bound=bound))
    if target.name in sliced and _target_is_layer(target, loop):
        return replace(target, name=layer_name(target.name, loop), indices=tuple(indices[1:]))
    return replace(target, indices=tuple(indices))


def _expression(expr: ast.Expr, loop: str, sliced: Collection[str]) -> ast.Expr:
    if isinstance(expr, ast.Call) and any(index.name == loop for index in expr.indices):
        return expr
    inner = ast.replace_children(expr, lambda child: _expression(child, loop, sliced))
    if isinstance(inner, ast.Access) and inner.name in sliced and _is_layer(inner.indices, loop):
        name = layer_name(inner.name, loop)
        rest = inner.indices[1:]
        return ast.Access(name, rest, inner.name_span, inner.span) if rest else ast.Name(name, inner.span)
    return inner
