"""Smaller programs by what they output, write and do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from random_programs.program import (
    Append,
    Extreme,
    Invoke,
    Loop,
    Program,
    Select,
    Statement,
    Step,
    Topk,
    When,
    walk,
    written,
)
from random_programs.rewrite import mapped, mapped_program, mapped_values
from random_programs.shrink_expressions import constant, finished
from random_programs.tree import Const, Expr, Read, Tensor, Var
from random_programs.unused import all_statements, without_unused


def smaller_statements(program: Program) -> Iterator[Program]:
    """Fewer outputs, memories and statements; blocks opened; steps that take what they read."""
    yield from _fewer_outputs(program)
    yield from _fewer_memories(program)
    yield from _outputs_of_intermediates(program)
    yield from _fewer_statements(program)
    yield from _fewer_blocks(program)
    yield from _fewer_chosen_from(program)


def _with_outputs(program: Program, step: Step, outputs: Iterable[str]) -> Program:
    steps = tuple(replace(item, outputs=tuple(outputs)) if item is step else item for item in program.steps)
    return without_unused(replace(program, steps=steps))


def _fewer_outputs(program: Program) -> Iterator[Program]:
    for step in program.steps:
        if len(step.outputs) > 1:
            for name in step.outputs:
                yield _with_outputs(program, step, [name])
        if step.outputs and len(program.steps) > 1:
            yield _with_outputs(program, step, [])


def _outputs_of_intermediates(program: Program) -> Iterator[Program]:
    for step in program.steps:
        for statement in step.statements:
            for name in written(statement):
                tensor = program.tensors.get(name)
                if tensor is not None and tensor.role == "value" and name not in step.outputs:
                    yield _with_outputs(program, step, [name])


def _fewer_memories(program: Program) -> Iterator[Program]:
    """Without one of the memories: nothing writes it, and what read it has a constant."""
    for memory in program.memories:

        def change(item: Statement, memory: Tensor = memory) -> tuple[Statement, ...]:
            if memory.name in written(item):
                return ()
            return (mapped_values(item, lambda value: mapped(value, lambda part: _without(part, memory.name))),)

        tensors = {name: tensor for name, tensor in program.tensors.items() if tensor is not memory}
        steps = tuple(
            replace(step, outputs=tuple(name for name in step.outputs if name != memory.name)) for step in program.steps
        )
        yield finished(mapped_program(replace(program, tensors=tensors, steps=steps), change))


def _without(part: Expr, name: str) -> Expr:
    return constant(part.kind) if isinstance(part, Read) and part.tensor == name else part


def _fewer_statements(program: Program) -> Iterator[Program]:
    """Without one statement that no growth needs."""
    for step in program.steps:
        for statement in walk(step.statements):
            if isinstance(statement, Append) and set(program.tensors[statement.memory].dims) & set(step.grows):
                continue
            if isinstance(statement, Invoke | When | Loop) or not set(written(statement)) & set(step.outputs):
                yield finished(_replaced(program, statement, ()))


def _fewer_chosen_from(program: Program) -> Iterator[Program]:
    """A selection over one index less: it is 0, and what read its places has a constant."""
    for statement in list(all_statements(program)):
        if isinstance(statement, Topk | Select | Extreme) and len(statement.over) > 1:
            for at, gone in enumerate(statement.over):
                if not any(item.row == gone.index for item in statement.over):
                    yield _without_chosen(program, statement, at)


def _without_chosen(program: Program, statement: Topk | Select | Extreme, at: int) -> Program:
    index, over = statement.over[at].index, (*statement.over[:at], *statement.over[at + 1 :])
    field = {Topk: "picked", Select: "kept", Extreme: "places"}[type(statement)]
    found: tuple[Tensor, ...] = getattr(statement, field)
    zeroed = mapped_values(statement, lambda value: _at_zero(value, index))
    smaller = replace(zeroed, over=over, **{field: (*found[:at], *found[at + 1 :])})  # type: ignore[arg-type]

    def change(item: Statement) -> tuple[Statement, ...]:
        if item == statement:
            return (smaller,)
        return (mapped_values(item, lambda value: mapped(value, lambda part: _without(part, found[at].name))),)

    steps = tuple(
        replace(step, outputs=tuple(name for name in step.outputs if name != found[at].name)) for step in program.steps
    )
    return finished(mapped_program(replace(program, steps=steps), change))


def _at_zero(value: Expr, index: str) -> Expr:
    def zero(part: Expr) -> Expr:
        return Const("x", True, 4, 0, 0) if isinstance(part, Var) and part.name == index else part

    return mapped(value, zero)


def _replaced(program: Program, statement: Statement, others: tuple[Statement, ...]) -> Program:
    return mapped_program(program, lambda item: others if item is statement else (item,))


def _fewer_blocks(program: Program) -> Iterator[Program]:
    """A block opened; a loop at its first pass, and fewer passes."""
    for step in program.steps:
        for statement in walk(step.statements):
            if isinstance(statement, When):
                yield finished(_replaced(program, statement, statement.body))
            elif isinstance(statement, Loop):
                yield finished(_replaced(program, statement, tuple(_at_first(statement))))


def _at_first(loop: Loop) -> Iterator[Statement]:
    for statement in loop.body:
        yield mapped_values(statement, lambda value: _at_zero(value, loop.index))
