"""An index of a reduction that has the name of one around it hides that one, as in mathematics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hetc.compiler.frontend.resolve.names import MARK
from hetc.compiler.frontend.syntax import ast
from hetc.compiler.frontend.syntax.expression_nodes import free_names
from hetc.compiler.vocabulary import REDUCTIONS, SELECTIONS


def with_own_names(statement: ast.Define) -> ast.Define:
    """The statement in which no two indices that are in scope together have one name."""
    scope = {
        item.name: item.name for target in statement.targets for item in target.indices if isinstance(item, ast.Index)
    }
    places = [item for target in statement.targets for item in target.indices if not isinstance(item, ast.Index)]
    for place in places:
        scope |= {name: name for name in free_names(place)}
    value = statement.value
    if isinstance(value, ast.Call) and value.indices and value.function in SELECTIONS:
        # The last index on the left is the place among the selected, which the right side does not see.
        for target in statement.targets:
            last = target.indices[-1] if target.indices else None
            if isinstance(last, ast.Index):
                scope.pop(last.name, None)
        inner = scope | {index.name: index.name for index in value.indices}
        arguments = tuple(_renamed(argument, inner) for argument in value.arguments)
        return replace(statement, value=replace(value, arguments=arguments))
    targets = tuple(
        replace(
            target,
            indices=tuple(item if isinstance(item, ast.Index) else _renamed(item, scope) for item in target.indices),
        )
        for target in statement.targets
    )
    return replace(statement, targets=targets, value=_renamed(value, scope))


def condition_with_own_names(condition: ast.Expr) -> ast.Expr:
    """The condition of a `when`, likewise."""
    return _renamed(condition, {name: name for name in free_names(condition)})


def _renamed(expr: ast.Expr, scope: Mapping[str, str]) -> ast.Expr:
    """`expr` with the names of `scope` as what they are called there, and with reductions inside of it that hide one of
    them under another name."""
    if isinstance(expr, ast.Name):
        name = scope.get(expr.name, expr.name)
        return expr if name == expr.name else replace(expr, name=name)
    if not isinstance(expr, ast.Call) or not expr.indices:
        return ast.replace_children(expr, lambda child: _renamed(child, scope))
    inner = dict(scope)
    if expr.function in REDUCTIONS:
        inner.update(
            (index.name, scope[index.name] + MARK if index.name in scope else index.name) for index in expr.indices
        )
    indices = tuple(
        replace(
            index,
            name=inner.get(index.name, index.name),
            bound=index.bound if index.bound is None else _renamed(index.bound, scope),
        )
        for index in expr.indices
    )
    arguments = tuple(_renamed(argument, inner) for argument in expr.arguments)
    keywords = tuple(replace(keyword, value=_renamed(keyword.value, inner)) for keyword in expr.keywords)
    return replace(expr, indices=indices, arguments=arguments, keywords=keywords)
