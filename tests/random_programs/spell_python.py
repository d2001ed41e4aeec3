"""Spells a random program as a Python function under the decorator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from random_programs.program import Function, Loop, Program, Stage, Statement, Step, When, stages_in
from random_programs.spell import extent_of, result_text
from random_programs.spell_expressions import Names, Speller
from random_programs.tree import Dim, Tensor


def spell_python(program: Program) -> str:
    """The text of the function, to be read and not to be run."""
    return _Text(program).whole()


class _Text(Speller):
    def whole(self) -> str:
        program = self.program
        name = f"random_{program.seed}"
        single = len(program.steps) == 1 and program.steps[0].name == name
        grows = _grows(program.steps[0].grows) if single else ""
        parameters = [f"{self._declaration(tensor)}," for tensor in program.declared]
        dims = [f"{self._dim(dim)}," for dim in program.dims.values() if not dim.name.isdigit()]
        lines = [f"@hetero_pipeline({grows})", f"def {name}(", *_indented([*parameters, "*,", *dims]), "):"]
        for function in program.functions:
            lines += _indented(self._function(function))
        for step in program.steps:
            body = self._step(step)
            lines += _indented(body if single else [self._step_head(step), *_indented(body)])
        return "\n".join(lines) + "\n"

    def _dim(self, dim: Dim) -> str:
        if dim.derived is not None:
            return f'{dim.name}="{extent_of(dim)}"'
        if dim.size is not None:
            return f"{dim.name}={dim.size}"
        return f"{dim.name}=le({dim.written or dim.bound}" + (f', per="{dim.per}")' if dim.per else ")")

    def _declaration(self, tensor: Tensor) -> str:
        plain = tensor.dtype.removeprefix("sparse ")
        names = ", ".join(f'"{dim}"' for dim in tensor.dims)
        extents = f"[{names}]" if tensor.dims else ""
        typed = f"{plain}{extents}"
        typed = f"sparse({typed}, stored=4096)" if plain != tensor.dtype else typed
        typed = f"ring({typed})" if tensor.ring else typed
        initial = tensor.initial
        options = "" if initial is None else f", initial={initial!r}".replace("'", '"')
        return (
            f"{tensor.name}: {typed}" if tensor.role == "input" else f"{tensor.name}: {tensor.role}({typed}{options})"
        )

    def _function(self, function: Function) -> list[str]:
        names = [item if isinstance(item, str) else item.name for item in function.parameters]
        body = [*self._statements(function.body, {}), f"return {result_text(self, function)}"]
        return [f"def {function.name}({', '.join(names)}):", *_indented(body)]

    def _step_head(self, step: Step) -> str:
        grows = _grows(step.grows)
        if step.inputs is None and not grows:
            return f"with step.{step.name}:"
        # A step in parentheses takes what it names.
        inputs = [tensor.name for tensor in self.program.declared if tensor.role == "input"]
        taken = inputs if step.inputs is None else step.inputs
        return f"with step.{step.name}({', '.join([*taken, *([grows] if grows else [])])}):"

    def _step(self, step: Step) -> list[str]:
        lines = []
        for stage in step.stages:
            for part in stage.parts:
                lines += self._stage(part, {}) if isinstance(part, Stage) else self._block(part, {})
        return [*lines, f"return {', '.join(step.outputs)}"] if step.outputs else lines

    def _stage(self, stage: Stage, names: Names) -> list[str]:
        return [f"with {stage.name}:", *_indented(self._statements(stage.body, names))]

    def _block(self, block: When | Loop, names: Names) -> list[str]:
        """A block, whose statements stand in stages where it stands in none."""
        if isinstance(block, When):
            inside = self.with_indices(names, block.indices)
            head = f"with when({self.text(block.condition, inside)}):"
        else:
            inside = self.with_indices(names, [block.index] if block.index else [])
            repeat = f"with repeat({block.count}):"
            head = f"for {inside[block.index]} in {block.count}:" if block.index else repeat
        stages = stages_in(block)
        lines = [line for stage in stages for line in self._stage(stage, inside)]
        return [head, *_indented(lines if stages else self._statements(block.body, inside))]

    def _statements(self, statements: Iterable[Statement], names: Names) -> list[str]:
        lines: list[str] = []
        for statement in statements:
            if isinstance(statement, When | Loop):
                lines += self._block(statement, names)
            else:
                lines.append(self.simple(statement, names))
        return lines


def _grows(grows: Mapping[str, int | str]) -> str:
    listed = ", ".join(f'"{dim}": {rows if isinstance(rows, int) else repr(rows)}' for dim, rows in grows.items())
    return f"grows={{{listed}}}" if listed else ""


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]
