"""Looks for a smaller random program that still fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from random_programs.program import Define, Extreme, Program, Put, Select, Topk, When
from random_programs.rewrite import expressions, parts_of
from random_programs.shrink_expressions import smaller_expressions
from random_programs.shrink_statements import smaller_statements
from random_programs.tree import Dim, Read, Var
from random_programs.unused import all_statements, without_unused


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
    """What shrinking makes smaller: parts of expressions, statements, declarations, extents and steps."""
    parts = sum(1 for value in expressions(program) for _ in parts_of(value))
    statements = list(all_statements(program))
    spelled = sum(len(item.indices) for item in statements if isinstance(item, Define | When))
    spelled += sum(len(item.over) for item in statements if isinstance(item, Topk | Select | Extreme))
    extents = sum(dim.size or 0 for dim in program.dims.values())
    outputs = sum(len(step.outputs) for step in program.steps)
    own = 8 * len(statements) + 2 * len(program.tensors) + 16 * len(program.steps) + 16 * len(program.functions)
    return 4 * parts + 4 * spelled + own + extents + outputs


def _is_sound(program: Program) -> bool:
    """Whether the text says what the tree means: the place of a put value mentions each of its indices, what is read
    has as many indices as it has dims, and every step does something."""
    for item in all_statements(program):
        if isinstance(item, Put):
            mentioned = {part.name for place in item.places for part in parts_of(place) if isinstance(part, Var)}
            if not set(item.indices) <= mentioned:
                return False
    reads = [part for value in expressions(program) for part in parts_of(value) if isinstance(part, Read)]
    known = program.tensors
    if any(read.tensor in known and len(known[read.tensor].dims) != len(read.indices) for read in reads):
        return False
    return all(step.stages for step in program.steps)


def _holds(still_fails: Callable[[Program], bool], candidate: Program) -> bool:
    try:
        return _is_sound(candidate) and still_fails(candidate)
    except Exception:  # a tree that nobody would write: not the failure that is looked for
        return False


def _candidates(program: Program) -> Iterator[Program]:
    """Smaller programs, boldest changes first."""
    if len(program.steps) > 1:
        for step in program.steps:
            kept = tuple(item for item in program.steps if item is not step)
            yield without_unused(replace(program, steps=kept))
    yield from smaller_statements(program)
    yield from smaller_expressions(program)
    for name, dim in program.dims.items():
        for extent in range(1, dim.size or 1) if dim.derived is None else ():
            if not name.isdigit():
                yield replace(program, dims={**program.dims, name: Dim(name, size=extent)})
