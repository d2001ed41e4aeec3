"""The generator's own statements, blocks, functions, steps and programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from random_programs.statement_nodes import (
    Alias,
    Append,
    Clear,
    Define,
    Extreme,
    Invoke,
    Over,
    Put,
    Quantize,
    Rope,
    Select,
    Softmax,
    Sort,
    Topk,
)
from random_programs.tree import Dim, Expr, Tensor

__all__ = [
    "Alias",
    "Append",
    "Block",
    "Clear",
    "Define",
    "Extreme",
    "Function",
    "Invoke",
    "Loop",
    "Over",
    "Program",
    "Put",
    "Quantize",
    "Rope",
    "Select",
    "Simple",
    "Softmax",
    "Sort",
    "Stage",
    "Statement",
    "Step",
    "Topk",
    "When",
    "in_stages",
    "stages_in",
    "walk",
    "written",
]


@dataclass(frozen=True)
class When:
    """when condition: one, or one for each of `indices`. stages: as those of a Loop."""

    condition: Expr
    indices: tuple[str, ...]
    dims: tuple[str, ...]
    body: tuple[Statement, ...]
    stages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loop:
    """for index in count (a dim or a number), or repeat count where there is no index. stages: those that its
    statements stand in, where it stands in none itself."""

    index: str
    count: str
    body: tuple[Statement, ...]
    stages: tuple[str, ...] = ()


Simple = Define | Softmax | Topk | Select | Extreme | Sort | Rope | Quantize | Append | Put | Clear | Invoke | Alias
Block = When | Loop
Statement = Simple | Block


@dataclass(frozen=True)
class Function:
    """def name(parameters): statements, and what it returns: names of tensors, or expressions without indices.

    Parameters are tensors where there are statements, else the names of Arguments."""

    name: str
    parameters: tuple[Tensor | str, ...]
    body: tuple[Statement, ...]
    results: tuple[Expr | str, ...]


@dataclass(frozen=True)
class Stage:
    name: str
    body: tuple[Statement, ...]

    @property
    def parts(self) -> tuple[Stage | Block, ...]:
        """The stage as it is written: blocks that have stages stand between parts of it."""
        found: list[Stage | Block] = []
        for statement in self.body:
            if isinstance(statement, When | Loop) and statement.stages:
                found.append(statement)
            elif found and isinstance(found[-1], Stage):
                found[-1] = Stage(self.name, (*found[-1].body, statement))
            else:
                found.append(Stage(self.name, (statement,)))
        return tuple(found)


def stages_in(block: Block) -> tuple[Stage, ...]:
    """The stages of a block that stands in none."""
    return in_stages([(statement,) for statement in block.body], block.stages) if block.stages else ()


def in_stages(body: Sequence[tuple[Statement, ...]], names: Sequence[str]) -> tuple[Stage, ...]:
    """Statements in stages, the same number in each; stages that stay empty are left out."""
    found: list[Stage] = []
    for position, statements in enumerate(body):
        name = names[min(len(names) - 1, position * len(names) // len(body))]
        if found and found[-1].name == name:
            found[-1] = Stage(name, (*found[-1].body, *statements))
        elif statements:
            found.append(Stage(name, statements))
    return tuple(stage for stage in found if stage.body)


@dataclass(frozen=True)
class Step:
    """inputs: those that it names, None where it takes what it reads. grows: a dim to the rows that each call appends,
    a number or a dim."""

    name: str
    inputs: tuple[str, ...] | None
    grows: dict[str, int | str]
    stages: tuple[Stage, ...]
    outputs: tuple[str, ...]

    @property
    def statements(self) -> tuple[Statement, ...]:
        return tuple(item for stage in self.stages for item in stage.body)

    @property
    def stage_names(self) -> set[str]:
        """The stages that are written, those in blocks among them."""
        parts = [part for stage in self.stages for part in stage.parts]
        return {item.name for part in parts for item in ([part] if isinstance(part, Stage) else stages_in(part))}


@dataclass(frozen=True)
class Program:
    """A whole random program. One step without a name stands for a pipeline with stages of its own."""

    seed: int
    dims: dict[str, Dim] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    functions: tuple[Function, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def declared(self) -> list[Tensor]:
        return [tensor for tensor in self.tensors.values() if tensor.role in ("input", "weight", "memory")]

    @property
    def memories(self) -> list[Tensor]:
        return [tensor for tensor in self.tensors.values() if tensor.role == "memory"]

    @property
    def kept(self) -> frozenset[str]:
        """The dims whose lengths the state keeps: those that some step grows, and those of rows in pages."""
        grown = {dim for step in self.steps for dim in step.grows}
        placed = {next(dim for dim in tensor.dims if dim in "TNV") for tensor in self.tensors.values() if tensor.layout}
        return frozenset(grown | placed)


def walk(statements: Iterable[Statement]) -> Iterator[Statement]:
    """Every statement, blocks before what stands in them."""
    for statement in statements:
        yield statement
        if isinstance(statement, When | Loop):
            yield from walk(statement.body)


def written(statement: Statement) -> tuple[str, ...]:
    """The names that a statement itself gives a value; a write of a memory names the memory."""
    match statement:
        case When() | Loop():
            return ()
        case Append() | Put():
            return (statement.memory,)
        case Clear() | Alias():
            return (statement.name,)
        case Topk():
            return (statement.scores.name, *(tensor.name for tensor in statement.picked))
        case Select():
            return tuple(tensor.name for tensor in statement.kept)
        case Extreme():
            return tuple(tensor.name for tensor in statement.places)
        case Quantize():
            return (statement.tensor.name, statement.scale.name)
        case Sort():
            return (statement.tensor.name, *(tensor.name for tensor in statement.places))
        case Invoke():
            return tuple(target.name for target in statement.targets)
    return (statement.tensor.name,)
