"""Smaller programs by what their expressions say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from random_programs.expand import Expansion
from random_programs.extents import indices_alone, spelled_indices
from random_programs.program import Append, Define, Invoke, Program, Statement
from random_programs.rewrite import (
    children,
    mapped,
    mapped_program,
    mapped_values,
    parts_of,
    replaced_at,
    with_children,
)
from random_programs.tree import Binary, Call, Const, Expr, Read, Reduce, Tensor, Var
from random_programs.unused import all_statements, without_unused


def smaller_expressions(program: Program) -> Iterator[Program]:
    """Reads become constants, parts of expressions parts of their own, calls what they say, tensors lose indices."""
    yield from _reads_as_constants(program)
    yield from _smaller_parts(program)
    yield from _fewer_indices(program)


def constant(kind: str) -> Const:
    return Const(kind, True, 2, 0, 1.0 if kind == "f" else 1)


def finished(program: Program) -> Program:
    """The program with extents spelled where nothing else says them any more, and without what decides nothing."""

    def change(item: Statement) -> tuple[Statement, ...]:
        new = mapped_values(item, _respelled)
        if isinstance(new, Define):
            spelled = spelled_indices(new.indices, indices_alone(new.value), new.tensor.role)
            new = replace(new, spelled=spelled)
        return (new,)

    return without_unused(mapped_program(program, change))


def _respelled(value: Expr) -> Expr:
    def bound(part: Expr) -> Expr:
        if not isinstance(part, Reduce):
            return part
        missing = part.dim.isdigit() or part.index not in indices_alone(part.body)
        body = part.body
        joined = part.joined and isinstance(body, Reduce) and body.function == part.function
        return replace(part, spell_bound=missing, joined=joined)

    return mapped(value, bound)


def _changed(program: Program, change: Callable[[Expr], Expr]) -> Program:
    return finished(mapped_program(program, lambda item: (mapped_values(item, change),)))


def _reads_as_constants(program: Program) -> Iterator[Program]:
    """All reads of one tensor become a constant."""
    for tensor in program.tensors.values():
        if tensor.kind not in "filx":
            continue

        def simple(part: Expr, name: str = tensor.name) -> Expr:
            return constant(part.kind) if isinstance(part, Read) and part.tensor == name else part

        yield _changed(program, lambda value, change=simple: mapped(value, change))  # type: ignore[misc]


def _smaller_parts(program: Program) -> Iterator[Program]:
    """One part of one expression becomes a part of its own or a constant; its exactness is kept."""
    for statement in list(all_statements(program)):
        values = children(statement)
        for at, value in enumerate(values):
            for position, part in enumerate(parts_of(value)):
                for other in _instead(part, program):
                    new = (*values[:at], replaced_at(value, position, other), *values[at + 1 :])
                    changed = with_children(statement, new)
                    yield finished(_replaced(program, statement, changed))


def _replaced(program: Program, statement: Statement, other: Statement) -> Program:
    """The program with one statement another; a block keeps what is in it."""

    def change(item: Statement) -> tuple[Statement, ...]:
        return (other,) if item == statement else (item,)

    return mapped_program(program, change)


def _instead(part: Expr, program: Program) -> Iterator[Expr]:
    inner = list(parts_of(part))[1:]
    for other in inner:
        bound_here = {item.index for item in parts_of(part) if isinstance(item, Reduce)}
        free = {item.name for item in parts_of(other) if isinstance(item, Var)}
        fits = other.kind == part.kind and (other.exact or not part.exact) and other.bound <= max(part.bound, 1)
        if fits and not (free & bound_here - {item.index for item in parts_of(other) if isinstance(item, Reduce)}):
            yield other
    if isinstance(part, Call):
        yield Expansion(program).value(part)
    if not isinstance(part, Const | Var) and part.kind in "filx":
        yield constant(part.kind)
    if part.kind == "b" and len(inner) > 2:
        one = Const("i", True, 4, 0, 1)
        yield Binary("b", True, 1, 0, "<", Const("i", True, 4, 0, 0), one)
        yield Binary("b", True, 1, 0, "<", one, Const("i", True, 4, 0, 0))


def _fewer_indices(program: Program) -> Iterator[Program]:
    """A defined tensor loses one of its indices: inside it is 0, and its reads lose that position."""
    whole = {item.rows for item in all_statements(program) if isinstance(item, Append)}
    whole |= {name for item in all_statements(program) if isinstance(item, Invoke) for name in item.arguments}
    defines = [item for item in all_statements(program) if isinstance(item, Define)]
    for statement in defines:
        name = statement.tensor.name
        several = sum(item.tensor.name == name for item in defines) > 1
        if statement.tensor.role == "value" and name not in whole and not several:
            for at in range(len(statement.indices)):
                yield _without_index(program, statement, at)


def _without_index(program: Program, statement: Define, at: int) -> Program:
    name = statement.indices[at]

    def zero(part: Expr) -> Expr:
        return Const("x", True, 4, 0, 0) if isinstance(part, Var) and part.name == name else part

    def shorter(part: Expr) -> Expr:
        reads = isinstance(part, Read) and part.tensor == statement.tensor.name
        return replace(part, indices=_without(part.indices, at)) if reads and isinstance(part, Read) else part

    tensor: Tensor = replace(statement.tensor, dims=_without(statement.tensor.dims, at))

    def change(item: Statement) -> tuple[Statement, ...]:
        if item == statement:
            value = mapped(mapped(statement.value, shorter), zero)
            return (replace(statement, tensor=tensor, indices=_without(statement.indices, at), value=value),)
        return (mapped_values(item, lambda value: mapped(value, shorter)),)

    changed = mapped_program(replace(program, tensors={**program.tensors, tensor.name: tensor}), change)
    return finished(changed)


def _without(items: tuple, at: int) -> tuple:  # type: ignore[type-arg]
    return (*items[:at], *items[at + 1 :])
