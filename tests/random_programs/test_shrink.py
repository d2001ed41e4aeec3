"""Shrinking keeps the failure and drops what it does not need; regressions stay right."""

from __future__ import annotations

from random_programs.generate import generate
from random_programs.oracle import judge_with_oracle
from random_programs.program import Extreme, Program, walk
from random_programs.rewrite import expressions, parts_of
from random_programs.shrink import shrink, size
from random_programs.spell import spell
from random_programs.tree import Unary
from random_programs.unused import without_unused


def test_a_program_shrinks_to_what_fails() -> None:
    """The planted failure: a program that holds a tanh. What is left holds one and still compiles and agrees."""

    def holds_tanh(program: Program) -> bool:
        parts = [part for value in expressions(program) for part in parts_of(value)]
        found = any(isinstance(part, Unary) and part.function == "tanh" for part in parts)
        return found and judge_with_oracle(program) is None

    seed = next(seed for seed in range(100) if "tanh(" in spell(without_unused(generate(seed))))
    program = generate(seed)
    small = shrink(program, holds_tanh)
    assert holds_tanh(small)
    assert size(small) < size(program) / 3
    assert len(small.steps[0].statements) <= 2


def test_a_selection_shrinks_to_one_index() -> None:
    """The planted failure: a program that says where an extreme is."""

    def holds_extreme(program: Program) -> bool:
        return bool(extremes(program)) and judge_with_oracle(program) is None

    def extremes(program: Program) -> list[Extreme]:
        inside = [item for step in program.steps for item in walk(step.statements)]
        return [item for item in inside if isinstance(item, Extreme)]

    program = next(item for item in map(generate, range(200)) if holds_extreme(without_unused(item)))
    small = shrink(program, holds_extreme)
    assert [len(left.over) for left in extremes(small)] == [1]


def test_what_always_passes_does_not_shrink() -> None:
    program = generate(1)
    assert shrink(program, lambda candidate: False) is program
