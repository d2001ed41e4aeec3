"""Spells a random program as a Python function under the decorator."""

from __future__ import annotations

from collections.abc import Mapping

from random_programs.program import Function, Program, Step
from random_programs.rewrite import wholes_of
from random_programs.spell import extent_of, result_text
from random_programs.spell_blocks import BlockSpeller, indented
from random_programs.tree import Dim, Tensor
from random_programs.wholes import WHOLES


def spell_python(program: Program) -> str:
    """The text of the function, to be read and not to be run."""
    return _Text(program).whole()


class _Text(BlockSpeller):
    stage = "with {}:"
    when = "with when({}):"
    repeat = "with repeat({}):"
    outputs = "return {}"

    def whole(self) -> str:
        program = self.program
        name = f"random_{program.seed}"
        single = len(program.steps) == 1 and program.steps[0].name == name
        grows = _grows(program.steps[0].grows) if single else ""
        parameters = [f"{self._declaration(tensor)}," for tensor in program.declared]
        dims = [f"{self._dim(dim)}," for dim in program.dims.values() if not dim.name.isdigit()]
        lines = [f"@hetero_pipeline({grows})", f"def {name}(", *indented([*parameters, "*,", *dims]), "):"]
        for name in wholes_of(program):
            lines += indented([f"def {name}(v, *, i):", f"    return {WHOLES[name].text}"])
        for function in program.functions:
            lines += indented(self._function(function))
        for step in program.steps:
            body = self.step_lines(step)
            lines += indented(body if single else [self._step_head(step), *indented(body)])
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
        options += f", layout={tensor.layout}" if tensor.layout.startswith("paged") else ""
        options += f', layout="{tensor.layout}"' if tensor.layout.startswith(("planes", "record")) else ""
        return (
            f"{tensor.name}: {typed}" if tensor.role == "input" else f"{tensor.name}: {tensor.role}({typed}{options})"
        )

    def _function(self, function: Function) -> list[str]:
        names = [item if isinstance(item, str) else item.name for item in function.parameters]
        body = [*self.statements(function.body, {}), f"return {result_text(self, function)}"]
        return [f"def {function.name}({', '.join(names)}):", *indented(body)]

    def _step_head(self, step: Step) -> str:
        grows = _grows(step.grows)
        if step.inputs is None and not grows:
            return f"with step.{step.name}:"
        # A step in parentheses takes what it names.
        inputs = [tensor.name for tensor in self.program.declared if tensor.role == "input"]
        taken = inputs if step.inputs is None else step.inputs
        return f"with step.{step.name}({', '.join([*taken, *([grows] if grows else [])])}):"


def _grows(grows: Mapping[str, int | str]) -> str:
    listed = ", ".join(f'"{dim}": {rows if isinstance(rows, int) else repr(rows)}' for dim, rows in grows.items())
    return f"grows={{{listed}}}" if listed else ""
