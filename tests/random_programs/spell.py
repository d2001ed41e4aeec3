"""Spells a random program in the language."""

from __future__ import annotations

from collections.abc import Mapping

from random_programs.program import Function, Program, Step
from random_programs.rewrite import wholes_of
from random_programs.spell_blocks import BlockSpeller, indented
from random_programs.tree import Dim, Tensor
from random_programs.wholes import WHOLES


def spell(program: Program) -> str:
    """The program's `.mp` text."""
    return _Text(program).whole()


def extent_of(dim: Dim) -> str:
    """How a dim's size is written; a bound aside."""
    if dim.derived is None:
        return str(dim.size)
    function, base, by = dim.derived
    return f"{function}({base}, {by})" if function in ("ceildiv", "min") else f"{base} {function} {by}"


def result_text(speller: BlockSpeller, function: Function) -> str:
    """What a function returns."""
    return ", ".join(item if isinstance(item, str) else speller.text(item, {}) for item in function.results)


class _Text(BlockSpeller):
    def whole(self) -> str:
        program = self.program
        name = f"random_{program.seed}"
        single = len(program.steps) == 1 and program.steps[0].name == name
        head = f"pipeline {name}{_grows(program.steps[0].grows) if single else ''}:"
        lines = [self._dim(dim) for dim in program.dims.values() if not dim.name.isdigit()]
        lines += [self._declaration(tensor) for tensor in program.declared]
        lines += [f"def {name}[i](v): return {WHOLES[name].text}" for name in wholes_of(program)]
        for function in program.functions:
            lines += self._function(function)
        for step in program.steps:
            body = self.step_lines(step)
            lines += body if single else [self._step_head(step), *indented(body)]
        return "\n".join([head, *indented(lines)]) + "\n"

    def _dim(self, dim: Dim) -> str:
        if dim.derived is not None or dim.size is not None:
            return f"dim {dim.name} = {extent_of(dim)}"
        return f"dim {dim.name} <= {dim.written or dim.bound}" + (f" per {dim.per}" if dim.per else "")

    def _declaration(self, tensor: Tensor) -> str:
        stored = " stored <= 4096" if tensor.dtype.startswith("sparse") else ""
        initial = "" if tensor.initial is None else f" = {tensor.initial}"
        extents = f"[{', '.join(tensor.dims)}]" if tensor.dims else ""
        dtype = f"{'ring ' if tensor.ring else ''}{tensor.dtype}"
        layout = f" @{tensor.layout}" if tensor.layout else ""
        return f"{tensor.role} {tensor.name}: {dtype}{extents}{stored}{initial}{layout}"

    def _function(self, function: Function) -> list[str]:
        names = [item if isinstance(item, str) else item.name for item in function.parameters]
        head = f"def {function.name}({', '.join(names)}):"
        if not function.body:
            return [f"{head} return {result_text(self, function)}"]
        return [head, *indented([*self.statements(function.body, {}), f"return {result_text(self, function)}"])]

    def _step_head(self, step: Step) -> str:
        inputs = "" if step.inputs is None else f"({', '.join(step.inputs)})"
        return f"step {step.name}{inputs}{_grows(step.grows)}:"


def _grows(grows: Mapping[str, int | str]) -> str:
    listed = ", ".join(f"{dim} by {rows}" for dim, rows in grows.items())
    return f" grows {listed}" if listed else ""
