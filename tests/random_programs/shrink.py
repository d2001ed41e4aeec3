"""Looks for a smaller random program that still fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from random_programs.extents import indices_alone, spelled_indices
from random_programs.rewrite import mapped, parts_of, replaced_at, values_of, with_values, without_unused
from random_programs.tree import (
    Append,
    Binary,
    Const,
    Define,
    Dim,
    Expr,
    Program,
    Put,
    Read,
    Reduce,
    Statement,
    Tensor,
    Var,
    defined,
)


def shrink(program: Program, still_fails: Callable[[Program], bool], attempts: int = 400) -> Program:
    """The smallest program found in so many attempts for which `still_fails` holds, as it does for `program`."""
    best, tried = program, 0
    progress = True
    while progress:
        progress = False
        for candidate in _candidates(best):
            if size(candidate) >= size(best):
                continue
            if tried >= attempts:
                return best
            tried += 1
            if _holds(still_fails, candidate):
                best, progress = candidate, True
                break
    return best


def size(program: Program) -> int:
    """What shrinking makes smaller: parts of expressions, statements, declarations and extents."""
    parts = sum(1 for item in program.statements for value in values_of(item) for _ in parts_of(value))
    spelled = sum(len(item.indices) for item in program.statements if isinstance(item, Define))
    extents = sum(dim.size or 0 for dim in program.dims.values())
    return 4 * parts + 4 * spelled + 8 * len(program.statements) + 2 * len(program.tensors) + extents


def _is_sound(program: Program) -> bool:
    """Whether the text says what the tree means: the place of a put value mentions its last index."""
    puts = [item for item in program.statements if isinstance(item, Put)]
    return all(
        any(isinstance(part, Var) and part.name == item.indices[-1] for part in parts_of(item.place)) for item in puts
    )


def _holds(still_fails: Callable[[Program], bool], candidate: Program) -> bool:
    try:
        return _is_sound(candidate) and still_fails(candidate)
    except Exception:  # a tree that nobody would write: not the failure that is looked for
        return False


def _candidates(program: Program) -> Iterator[Program]:
    """Smaller programs, boldest changes first."""
    if len(program.outputs) > 1:
        for name in program.outputs:
            yield without_unused(replace(program, outputs=[name]))
    yield from _outputs_of_intermediates(program)
    yield from _reads_as_constants(program)
    yield from _smaller_expressions(program)
    yield from _fewer_indices(program)
    for name, dim in program.dims.items():
        for extent in range(1, dim.size or 1):
            yield replace(program, dims={**program.dims, name: Dim(name, size=extent)})


def _outputs_of_intermediates(program: Program) -> Iterator[Program]:
    written = {name for statement in program.statements for name in defined(statement)}
    values = [
        name
        for name, tensor in program.tensors.items()
        if name in written and not (tensor.role == "memory" and set(tensor.dims) & set(program.grows))
    ]
    for name in values:
        if name not in program.outputs:
            yield without_unused(replace(program, outputs=[name]))


def _reads_as_constants(program: Program) -> Iterator[Program]:
    """All reads of one tensor become a constant."""
    for tensor in program.tensors.values():
        if tensor.kind not in "filx":
            continue

        def constant(part: Expr, name: str = tensor.name) -> Expr:
            return _constant(part.kind) if isinstance(part, Read) and part.tensor == name else part

        yield _changed(program, lambda value, change=constant: mapped(value, change))


def _smaller_expressions(program: Program) -> Iterator[Program]:
    """One part of one expression becomes a part of its own or a constant; its exactness is kept."""
    for number, statement in enumerate(program.statements):
        values = values_of(statement)
        for at, value in enumerate(values):
            for position, part in enumerate(parts_of(value)):
                for other in _instead(part):
                    new = (*values[:at], replaced_at(value, position, other), *values[at + 1 :])
                    statements = list(program.statements)
                    statements[number] = with_values(statement, new)
                    yield _finished(program, statements)


def _instead(part: Expr) -> Iterator[Expr]:
    inner = list(parts_of(part))[1:]
    for other in inner:
        bound_here = {item.index for item in parts_of(part) if isinstance(item, Reduce)}
        free = {item.name for item in parts_of(other) if isinstance(item, Var)}
        fits = other.kind == part.kind and (other.exact or not part.exact) and other.bound <= max(part.bound, 1)
        if fits and not (free & bound_here - {item.index for item in parts_of(other) if isinstance(item, Reduce)}):
            yield other
    if not isinstance(part, Const | Var) and part.kind in "filx":
        yield _constant(part.kind)
    if part.kind == "b" and len(inner) > 2:
        one = Const("i", True, 4, 0, 1)
        yield Binary("b", True, 1, 0, "<", Const("i", True, 4, 0, 0), one)
        yield Binary("b", True, 1, 0, "<", one, Const("i", True, 4, 0, 0))


def _constant(kind: str) -> Const:
    return Const(kind, True, 2, 0, 1.0 if kind == "f" else 1)


def _fewer_indices(program: Program) -> Iterator[Program]:
    """A defined tensor loses one of its indices: inside it is 0, and its reads lose that position."""
    for number, statement in enumerate(program.statements):
        if not isinstance(statement, Define) or statement.tensor.role != "value":
            continue
        if any(isinstance(item, Append) and item.rows == statement.tensor.name for item in program.statements):
            continue
        for at, name in enumerate(statement.indices):
            yield _without_index(program, number, statement, at, name)


def _without_index(program: Program, number: int, statement: Define, at: int, name: str) -> Program:
    def drop(items: tuple[Expr, ...] | tuple[str, ...]) -> tuple:  # type: ignore[type-arg]
        return (*items[:at], *items[at + 1 :])

    def zero(part: Expr) -> Expr:
        return Const("x", True, 4, 0, 0) if isinstance(part, Var) and part.name == name else part

    def shorter(part: Expr) -> Expr:
        reads = isinstance(part, Read) and part.tensor == statement.tensor.name
        return replace(part, indices=drop(part.indices)) if reads and isinstance(part, Read) else part

    tensor = replace(statement.tensor, dims=drop(statement.tensor.dims))
    statements: list[Statement] = []
    for position, item in enumerate(program.statements):
        values = tuple(mapped(value, shorter) for value in values_of(item))
        if position == number:
            new = replace(statement, tensor=tensor, indices=drop(statement.indices), value=mapped(values[0], zero))
            statements.append(new)
        else:
            statements.append(with_values(item, values))
    return _finished(program, statements, {**program.tensors, tensor.name: tensor})


def _changed(program: Program, change: Callable[[Expr], Expr]) -> Program:
    statements = [with_values(item, tuple(change(value) for value in values_of(item))) for item in program.statements]
    return _finished(program, statements)


def _finished(program: Program, statements: list[Statement], tensors: dict[str, Tensor] | None = None) -> Program:
    """The program with these statements; extents are spelled where nothing else says them any more."""
    result = []
    for item in statements:
        new = with_values(item, tuple(_respelled(value) for value in values_of(item)))
        if isinstance(new, Define):
            spelled = spelled_indices(new.indices, indices_alone(new.value), new.tensor.role)
            new = replace(new, spelled=spelled)
        result.append(new)
    return without_unused(replace(program, statements=result, tensors=tensors or program.tensors))


def _respelled(value: Expr) -> Expr:
    def bound(part: Expr) -> Expr:
        if not isinstance(part, Reduce):
            return part
        missing = part.dim.isdigit() or part.index not in indices_alone(part.body)
        body = part.body
        joined = part.joined and isinstance(body, Reduce) and body.function == part.function
        return replace(part, spell_bound=missing, joined=joined)

    return mapped(value, bound)
