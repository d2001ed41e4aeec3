"""Leaves out of a program what decides nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from random_programs.program import (
    Clear,
    Extreme,
    Function,
    Invoke,
    Loop,
    Program,
    Put,
    Select,
    Sort,
    Statement,
    Step,
    Topk,
    When,
    walk,
    written,
)
from random_programs.rewrite import (
    calls_of,
    children,
    expressions,
    mapped_statements,
    mentioned_tensors,
    parts_of,
    uses,
)
from random_programs.tree import Call, Concat, DimValue, Expr, Reduce, Whole


def without_unused(program: Program) -> Program:
    """The program with statements, declarations, functions and dims left out that decide no output and no memory."""
    steps = tuple(_without_unused(step, program) for step in program.steps)
    functions, called = program.functions, calls_of(replace(program, steps=steps))
    functions = tuple(item for item in functions if item.name in called)
    kept = replace(program, steps=steps, functions=functions)
    needed = _needed(kept)
    tensors = {name: tensor for name, tensor in program.tensors.items() if name in needed or tensor.role == "memory"}
    kept = replace(kept, tensors=tensors)
    used = dims_used(kept)
    steps = tuple(
        replace(
            step,
            inputs=step.inputs and tuple(name for name in step.inputs if name in tensors),
            grows={dim: by for dim, by in step.grows.items() if dim in used},
        )
        for step in kept.steps
    )
    used = dims_used(replace(kept, steps=steps))
    return replace(kept, steps=steps, dims={name: dim for name, dim in program.dims.items() if name in used})


def _without_unused(step: Step, program: Program) -> Step:
    """The step without statements whose results nothing reads."""
    memories = {tensor.name for tensor in program.memories} | set(program.dims)
    needed = memories | set(step.outputs)
    writers = {item.name for item in program.functions if _writes(item, memories)}
    while True:
        kept = [
            item
            for item in walk(step.statements)
            if needed & set(written(item)) or (isinstance(item, Invoke) and item.function in writers)
        ]
        blocks = [item for item in walk(step.statements) if isinstance(item, When | Loop)]
        more = {name for item in (*kept, *blocks) for name in uses(item)}
        if more <= needed:
            break
        needed |= more

    def change(item: Statement) -> tuple[Statement, ...]:
        return (item,) if isinstance(item, When | Loop) or item in kept else ()

    stages = [replace(stage, body=mapped_statements(stage.body, change)) for stage in step.stages]
    return replace(step, stages=tuple(stage for stage in stages if stage.body))


def _writes(function: Function, memories: set[str]) -> bool:
    return any(memories & set(written(item)) for item in walk(function.body))


def _needed(program: Program) -> set[str]:
    """The tensors that are read or defined."""
    needed = {name for step in program.steps for name in step.outputs}
    needed |= {tensor.initial for tensor in program.memories if isinstance(tensor.initial, str)}
    for item in all_statements(program):
        needed |= {*uses(item), *written(item)}
    for function in program.functions:
        needed |= mentioned_tensors(children(function)) | {name for name in function.results if isinstance(name, str)}
        needed |= {item.name for item in function.parameters if not isinstance(item, str)}
    return needed


def all_statements(program: Program) -> Iterator[Statement]:
    """Every statement of steps and functions."""
    for step in program.steps:
        yield from walk(step.statements)
    for function in program.functions:
        yield from walk(function.body)


def dims_used(program: Program) -> frozenset[str]:
    """The dims that a program needs to declare."""
    names = {dim for tensor in program.tensors.values() for dim in tensor.dims}
    for item in all_statements(program):
        names |= _dims_of(item)
    for value in expressions(program):
        names |= _dims_in(value)
    while True:
        more = {dim.per for name, dim in program.dims.items() if name in names and dim.per}
        for name, dim in program.dims.items():
            if name in names and dim.derived:
                more |= {item for item in dim.derived[1:] if isinstance(item, str)}
        grown = [by for step in program.steps for dim, by in step.grows.items() if dim in names]
        more |= {by for by in grown if isinstance(by, str)}
        if more <= names:
            return frozenset(names)
        names |= more


def _dims_in(value: Expr) -> set[str]:
    found: set[str] = set()
    for part in parts_of(value):
        if isinstance(part, Reduce | DimValue | Whole):
            found.add(part.dim)
        elif isinstance(part, Concat):
            found |= {dim for dim, _ in part.extents}
        elif isinstance(part, Call):
            found |= _dims_in(part.body)
    return found


def _dims_of(statement: Statement) -> set[str]:
    match statement:
        case Topk() | Select():
            return {statement.k, *(item.dim for item in statement.over)}
        case Extreme() | Sort():
            return {item.dim for item in statement.over}
        case Put() | When():
            return set(statement.dims)
        case Loop():
            return {statement.count}
        case Clear():
            return {statement.name}
    return set()
