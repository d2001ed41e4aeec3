"""Spells the stages, blocks and statements of a random program, in lines that each language has its own words for."""

from __future__ import annotations

from collections.abc import Iterable

from random_programs.program import Loop, Stage, Statement, Step, When, stages_in
from random_programs.spell_expressions import Names, Speller


class BlockSpeller(Speller):
    """stage, when, repeat, outputs: the lines that a stage and blocks begin with and a step ends with."""

    stage = "{}:"
    when = "when {}:"
    repeat = "repeat {}:"
    outputs = "output {}"

    def step_lines(self, step: Step) -> list[str]:
        lines = []
        for stage in step.stages:
            for part in stage.parts:
                lines += self._stage(part, {}) if isinstance(part, Stage) else self._block(part, {})
        return [*lines, self.outputs.format(", ".join(step.outputs))] if step.outputs else lines

    def _stage(self, stage: Stage, names: Names) -> list[str]:
        return [self.stage.format(stage.name), *indented(self.statements(stage.body, names))]

    def _block(self, block: When | Loop, names: Names) -> list[str]:
        """A block, whose statements stand in stages where it stands in none."""
        if isinstance(block, When):
            inside = self.with_indices(names, block.indices)
            head = self.when.format(self.text(block.condition, inside))
        else:
            inside = self.with_indices(names, [block.index] if block.index else [])
            loop = f"for {inside[block.index]} in {block.count}:" if block.index else ""
            head = loop or self.repeat.format(block.count)
        stages = stages_in(block)
        lines = [line for stage in stages for line in self._stage(stage, inside)]
        return [head, *indented(lines if stages else self.statements(block.body, inside))]

    def statements(self, statements: Iterable[Statement], names: Names) -> list[str]:
        lines: list[str] = []
        for statement in statements:
            if isinstance(statement, When | Loop):
                lines += self._block(statement, names)
            else:
                lines.append(self.simple(statement, names))
        return lines


def indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]
