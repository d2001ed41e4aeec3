"""Which parts of the language random programs hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from random_programs.program import Program, Quantize, Statement, Topk, walk
from random_programs.rewrite import expressions, parts_of
from random_programs.tree import PACKED, Concat, Expr, Reduce, Unary, Whole


def _statements(program: Program) -> Iterator[Statement]:
    for step in program.steps:
        yield from walk(step.statements)
    for function in program.functions:
        yield from walk(function.body)


def _parts(program: Program) -> Iterator[Expr]:
    for value in expressions(program):
        yield from parts_of(value)


def _quantised(program: Program, named: bool) -> bool:
    found = (item for item in _statements(program) if isinstance(item, Quantize))
    return any(item.named if named else item.rule not in ("pow2", "f32") for item in found)


def _run_time_number(program: Program) -> bool:
    return any(isinstance(item, Topk) and program.dims[item.k].size is None for item in _statements(program))


PARTS: dict[str, Callable[[Program], bool]] = {
    "packed elements declared": lambda program: any(tensor.dtype in PACKED for tensor in program.declared),
    "casts to packed elements": lambda program: any(
        isinstance(part, Unary) and part.function in PACKED for part in _parts(program)
    ),
    "`e8m0`": lambda program: any(tensor.dtype == "e8m0" for tensor in program.tensors.values()),
    "`quantize` with scales of other types": lambda program: _quantised(program, named=False),
    "`quantize` to a format": lambda program: _quantised(program, named=True),
    "`topk` of a run-time number": _run_time_number,
    "`mean` over several indices": lambda program: any(
        isinstance(part, Reduce) and part.function == "mean" and part.joined for part in _parts(program)
    ),
    "functions over an index": lambda program: any(isinstance(part, Whole) for part in _parts(program)),
    "memories in pages": lambda program: any(tensor.layout for tensor in program.memories),
    "memories in pages that nothing grows": lambda program: any("V" in tensor.dims for tensor in program.memories),
    "`concat`": lambda program: any(isinstance(part, Concat) for part in _parts(program)),
    "several steps": lambda program: len(program.steps) > 1,
}


def held(program: Program) -> frozenset[str]:
    """The parts of the language, of those that are counted, that a program holds."""
    return frozenset(name for name, holds in PARTS.items() if holds(program))


def table(programs: Iterable[frozenset[str]]) -> list[str]:
    """How many of the programs hold each part, as lines of a table."""
    every = list(programs)
    rows = [f"| {name} | {sum(name in each for each in every)} |" for name in PARTS]
    return [f"Of {len(every)} programs hold", "", "| what | programs |", "|---|---|", *rows]
