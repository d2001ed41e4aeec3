"""Rewriting statements of the syntax tree: small pieces to build, and walks over what stands in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from hetc.compiler.frontend.syntax import ast
from hetc.source import Span


def scalar(name: str, span: Span) -> ast.Declaration:
    """A memory of one integer, 0 at first."""
    return ast.Declaration("memory", name, ast.Name("i32", span), (), False, None, None, span, span)


def binary(operator: str, left: ast.Expr, right: ast.Expr, span: Span) -> ast.Expr:
    return ast.Binary(operator, left, right, span)


def where(span: Span, *arguments: ast.Expr) -> ast.Expr:
    return ast.Call("where", (), arguments, (), span, span)


def assignment(name: str, value: ast.Expr, span: Span) -> ast.Define:
    return ast.Define((ast.Target(name, (), span, span),), "=", value, span)


def mapped(statements: tuple[ast.Statement, ...], change: Callable[[ast.Expr], ast.Expr]) -> tuple[ast.Statement, ...]:
    """The statements with `change` applied to each of their expressions."""
    found: list[ast.Statement] = []
    for statement in statements:
        match statement:
            case ast.Define():
                targets = tuple(
                    replace(
                        target,
                        indices=tuple(item if isinstance(item, ast.Index) else change(item) for item in target.indices),
                    )
                    for target in statement.targets
                )
                found.append(replace(statement, targets=targets, value=change(statement.value)))
            case ast.Effect(call=call):
                changed = ast.replace_children(call, change)
                assert isinstance(changed, ast.Call)
                found.append(replace(statement, call=changed))
            case _:
                head, inside = ast.head_of(statement), mapped(statement.statements, change)
                found.append(ast.with_head(statement, None if head is None else change(head), inside))
    return tuple(found)


def words(statements: tuple[ast.Statement, ...]) -> set[str]:
    """Every name that stands in statements."""
    found: set[str] = set()

    def note(expr: ast.Expr) -> ast.Expr:
        found.update(node.name for node, _ in ast.walk(expr) if isinstance(node, ast.Name | ast.Access))
        return expr

    mapped(statements, note)
    for statement in ast.simple_statements(statements):
        for target in statement.targets if isinstance(statement, ast.Define) else ():
            found.add(target.name)
            found.update(item.name for item in target.indices if isinstance(item, ast.Index))
    return found


def mentioned(step: ast.Step) -> set[str]:
    return {output.name for output in step.outputs} | words(step.statements)


def defines(step: ast.Step) -> Iterator[ast.Define]:
    for statement in ast.simple_statements(step.statements):
        if isinstance(statement, ast.Define):
            yield statement


def with_stage(step: ast.Step, statements: tuple[ast.Statement, ...], *, first: bool) -> ast.Step:
    """The step with statements of its first stage before everything else, or of its last one after it."""
    found = list(ast.stages_of(step.statements))
    if not found:
        return step
    near = found[0] if first else found[-1]
    more = ast.Stage(near.name, None, statements, near.span)
    return replace(step, statements=(more, *step.statements) if first else (*step.statements, more))
