"""Walks over and changes the generator's trees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from typing import Any

from random_programs.program import (
    Alias,
    Append,
    Invoke,
    Loop,
    Program,
    Statement,
    When,
    walk,
)
from random_programs.tree import Age, Call, Expr, Read, Whole


def children(node: Any) -> tuple[Expr, ...]:
    """The expressions that an expression or a statement is made of, left to right; the body of a call aside."""
    found: list[Expr] = []
    for item in fields(node):
        value = getattr(node, item.name)
        if isinstance(value, Expr) and not (isinstance(node, Call) and item.name == "body"):
            found.append(value)
        elif isinstance(value, tuple):
            found += [part for part in value if isinstance(part, Expr)]
    return tuple(found)


def with_children(node: Any, parts: Iterable[Expr]) -> Any:
    """The expression or statement made of other parts, in the order of `children`."""
    rest, changed = iter(parts), {}
    for item in fields(node):
        value = getattr(node, item.name)
        if isinstance(value, Expr) and not (isinstance(node, Call) and item.name == "body"):
            changed[item.name] = next(rest)
        elif isinstance(value, tuple) and any(isinstance(part, Expr) for part in value):
            changed[item.name] = tuple(next(rest) if isinstance(part, Expr) else part for part in value)
    return replace(node, **changed) if changed else node


def mapped(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """`change` applied to every part, innermost first."""
    inner = with_children(expr, [mapped(part, change) for part in children(expr)])
    return change(inner)


def parts_of(expr: Expr) -> Iterator[Expr]:
    """`expr` and everything inside of it, outermost first."""
    yield expr
    for part in children(expr):
        yield from parts_of(part)


def replaced_at(expr: Expr, position: int, other: Expr) -> Expr:
    """`expr` with its part number `position` (in the order of parts_of) replaced."""
    if position == 0:
        return other
    parts, at = [], 1
    for part in children(expr):
        size = sum(1 for _ in parts_of(part))
        inside = at <= position < at + size
        parts.append(replaced_at(part, position - at, other) if inside else part)
        at += size
    return with_children(expr, parts)


def mapped_statements(
    statements: Iterable[Statement], change: Callable[[Statement], Iterable[Statement]]
) -> tuple[Statement, ...]:
    """The statements with each replaced by what `change` makes of it, those inside of a block first; a block that
    becomes empty is dropped."""
    found: list[Statement] = []
    for statement in statements:
        if isinstance(statement, When | Loop):
            inside = mapped_statements(statement.body, change)
            found += change(replace(statement, body=inside)) if inside else ()
        else:
            found += change(statement)
    return tuple(found)


def mapped_values(statement: Statement, change: Callable[[Expr], Expr]) -> Statement:
    """The statement with `change` applied to each of its expressions as a whole."""
    changed = with_children(statement, [change(value) for value in children(statement)])
    assert isinstance(changed, Statement)
    return changed


def mapped_program(program: Program, change: Callable[[Statement], Iterable[Statement]]) -> Program:
    """The program with every statement, those of functions too, replaced by what `change` makes of it."""
    steps = []
    for step in program.steps:
        stages = [replace(stage, body=mapped_statements(stage.body, change)) for stage in step.stages]
        steps.append(replace(step, stages=tuple(stage for stage in stages if stage.body)))
    functions = tuple(replace(item, body=mapped_statements(item.body, change)) for item in program.functions)
    return replace(program, steps=tuple(steps), functions=functions)


def expressions(program: Program) -> Iterator[Expr]:
    """Every expression of the program, outermost ones only."""
    for step in program.steps:
        for statement in walk(step.statements):
            yield from children(statement)
    for function in program.functions:
        for statement in walk(function.body):
            yield from children(statement)
        yield from children(function)


def mentioned_tensors(nodes: Iterable[Expr]) -> frozenset[str]:
    """The tensors that expressions read, the bodies of what they call included."""
    found: set[str] = set()
    for node in nodes:
        for part in parts_of(node):
            if isinstance(part, Read):
                found.add(part.tensor)
            elif isinstance(part, Age):
                found.add(part.ring)
            elif isinstance(part, Call):
                found |= mentioned_tensors([part.body])
    return frozenset(found)


def uses(statement: Statement) -> frozenset[str]:
    """The names that a statement itself reads."""
    found = mentioned_tensors(children(statement))
    if isinstance(statement, Append):
        return found | {statement.rows}
    if isinstance(statement, Alias):
        return found | {statement.of}
    return found | set(statement.arguments) if isinstance(statement, Invoke) else found


def wholes_of(program: Program) -> list[str]:
    """The functions over an index that are called, in the order of their names."""
    found: set[str] = set()
    pending = list(expressions(program))
    for value in pending:
        for part in parts_of(value):
            if isinstance(part, Whole):
                found.add(part.function)
            elif isinstance(part, Call):
                pending.append(part.body)
    return sorted(found)


def calls_of(program: Program) -> frozenset[str]:
    """The functions that are called."""
    found = {item.function for step in program.steps for item in walk(step.statements) if isinstance(item, Invoke)}
    found |= {item.function for one in program.functions for item in walk(one.body) if isinstance(item, Invoke)}
    return frozenset(
        found | {part.function for value in expressions(program) for part in parts_of(value) if isinstance(part, Call)}
    )
