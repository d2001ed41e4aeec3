"""Spells expressions and simple statements of random programs: the same words in `.mp` text and in Python."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from random_programs.presence import mentioned
from random_programs.program import (
    Append,
    Clear,
    Define,
    Extreme,
    Invoke,
    Program,
    Put,
    Quantize,
    Rope,
    Select,
    Simple,
    Softmax,
    Sort,
    Topk,
)
from random_programs.tree import (
    FORMATS,
    Age,
    Argument,
    Binary,
    Call,
    Concat,
    Const,
    DimValue,
    Expr,
    Read,
    Reduce,
    Unary,
    Var,
    Where,
    Whole,
)
from random_programs.wholes import WHOLES

Names = Mapping[str, str]
"""How the indices in scope are spelled, by their names in the tree."""


class Speller:
    """Spells what stands in one program. An index gets the first letter of its dim where no index around has it: so
    statements, functions and reductions side by side use the same names."""

    def __init__(self, program: Program) -> None:
        self.program = program
        # Of some programs an index of a reduction hides one around that the reduction does not mention.
        self.hides = program.seed % 2 == 0
        self.taken = {*program.dims, *program.tensors, *(item.name for item in program.functions)}
        self.taken |= {step.name for step in program.steps}
        self.taken |= {name for item in program.functions for name in item.parameters if isinstance(name, str)}

    def with_indices(
        self, names: Names, indices: Iterable[str], hidden: frozenset[str] = frozenset()
    ) -> dict[str, str]:
        """The scope with these indices in it; those that are in it keep their name. A new one may have the name of one
        in `hidden`."""
        scope = dict(names)
        for index in indices:
            if index not in scope:
                match = re.match("[a-z]+", index)
                letter = match.group() if match else "i"
                number, spelled = 1, letter
                used = {name for known, name in scope.items() if known not in hidden}
                while spelled in used or spelled in self.taken:
                    number += 1
                    spelled = f"{letter}{number}"
                scope[index] = spelled
        return scope

    def text(self, expr: Expr, names: Names) -> str:
        """One expression, with more parentheses than a person would write."""
        match expr:
            case Const(kind="b"):
                return "true" if expr.value else "false"
            case Const():
                plain = repr(int(expr.value)) if expr.kind in "ilx" else repr(float(expr.value))
                return f"({plain})" if expr.value < 0 else plain
            case Var():
                return names[expr.name]
            case Argument():
                return expr.name
            case DimValue():
                return f"{expr.dim}[{names[expr.row]}]" if expr.row else expr.dim
            case Read():
                return f"{expr.tensor}{self._brackets(expr.indices, names)}"
            case Age():
                slot = self.text(expr.slot, names)
                return f"age({slot})" if expr.alone else f"age({expr.ring}, {slot})"
            case Unary():
                return self._unary(expr, names)
            case Binary():
                left, right = self.text(expr.left, names), self.text(expr.right, names)
                if expr.operator in ("min", "max", "atan2", "pow", "ceildiv", "coalesce"):
                    return f"{expr.operator}({left}, {right})"
                return f"({left} {expr.operator} {right})"
            case Where():
                parts = [expr.condition, expr.value] + ([expr.otherwise] if expr.otherwise else [])
                return f"where({', '.join(self.text(part, names) for part in parts)})"
            case Reduce():
                return self._reduce(expr, names)
            case Whole():
                return self._whole(expr, names)
            case Concat():
                return f"concat[{names[expr.index]}]({', '.join(self.text(part, names) for part in expr.parts)})"
            case Call():
                return f"{expr.function}({', '.join(self.text(part, names) for part in expr.arguments)})"
        raise TypeError(expr)

    def _brackets(self, indices: Iterable[Expr], names: Names) -> str:
        spelled = ", ".join(self.text(index, names) for index in indices)
        return f"[{spelled}]" if spelled else ""

    def _unary(self, expr: Unary, names: Names) -> str:
        inner = self.text(expr.operand, names)
        if expr.function in ("as f32", "as i32"):
            return inner
        return f"({expr.function}{inner})" if expr.function in ("-", "~", "not ") else f"{expr.function}({inner})"

    def _whole(self, expr: Whole, names: Names) -> str:
        if not WHOLES[expr.function].keeps:
            seen = mentioned(expr.operand) | {expr.row} if self.hides else names.keys()
            names = self.with_indices(names, [expr.index], frozenset(names.keys() - seen))
        bound = f" < {expr.dim}" if expr.spell_bound else ""
        return f"{expr.function}[{names[expr.index]}{bound}]({self.text(expr.operand, names)})"

    def _reduce(self, expr: Reduce, names: Names) -> str:
        indices, around = [], names
        while True:
            seen = mentioned(expr.body) | {expr.row} if self.hides else around.keys()
            names = self.with_indices(names, [expr.index], frozenset(around.keys() - seen))
            spelled = names[expr.index]
            indices.append(f"{spelled} < {expr.dim}" if expr.spell_bound else spelled)
            if not (expr.joined and isinstance(expr.body, Reduce)):
                return f"{expr.function}[{', '.join(indices)}]({self.text(expr.body, names)})"
            expr = expr.body

    def simple(self, statement: Simple, around: Names) -> str:
        """One statement that is no block."""
        match statement:
            case Define():
                return self._define(statement, around)
            case Softmax():
                names = self.with_indices(around, statement.indices)
                axes = ", ".join(names[statement.indices[axis]] for axis in statement.axes)
                value = f"softmax[{axes}]({self.text(statement.value, names)})"
                return f"{self._target(statement.tensor.name, statement.indices, names)} = {value}"
            case Topk() | Select() | Extreme() | Sort():
                return self._selection(statement, around)
            case Rope():
                return self._rope(statement, around)
            case Quantize():
                return self._quantize(statement, around)
            case Put():
                return self._put(statement, around)
            case Append():
                layer = f"[{around[statement.layer]}]" if statement.layer else ""
                return f"append({statement.memory}{layer}, {statement.rows})"
            case Clear():
                return f"clear({statement.name})"
            case Invoke():
                targets = ", ".join(target.name for target in statement.targets)
                return f"{targets} = {statement.function}({', '.join(statement.arguments)})"
        raise TypeError(statement)

    def _target(self, name: str, indices: Iterable[str], names: Names) -> str:
        spelled = ", ".join(names[index] for index in indices)
        return f"{name}[{spelled}]" if spelled else name

    def _define(self, statement: Define, around: Names) -> str:
        names = self.with_indices(around, statement.indices)
        dims = statement.tensor.dims[-len(statement.indices) :] if statement.indices else ()
        left = [
            f"{names[index]} < {dim}" if index in statement.spelled else names[index]
            for index, dim in zip(statement.indices, dims, strict=True)
        ]
        left = [names[statement.layer], *left] if statement.layer else left
        brackets = f"[{', '.join(left)}]" if left else ""
        return f"{statement.tensor.name}{brackets} = {self.text(statement.value, names)}"

    def _selection(self, statement: Topk | Select | Extreme | Sort, around: Names) -> str:
        slots = (*statement.free, *(() if isinstance(statement, Extreme) else (statement.slot,)))
        names, over = self.with_indices(around, slots), [item.index for item in statement.over]
        inner = self.with_indices(self.with_indices(around, statement.free), over)
        value, index = self.text(statement.value, inner), ", ".join(inner[name] for name in over)
        left = [names[name] for name in slots]
        if isinstance(statement, Topk):
            order = "" if statement.order == "any" else f", order={statement.order}"
            targets = [statement.scores, *statement.picked]
            call = f"topk[{index}]({value}, {statement.k}{order})"
        elif isinstance(statement, Select):
            targets = [*statement.kept]
            test = f"{value} {'>' if statement.strict else '>='} {self.text(statement.threshold, inner)}"
            call = f"select[{index}]({test}, capacity={statement.k})"
        elif isinstance(statement, Extreme):
            targets = [*statement.places]
            call = f"{statement.function}[{index}]({value})"
        else:
            targets = [statement.tensor, *statement.places]
            call = f"sort[{index}]({value}{', order=descending' if statement.descending else ''})"
        brackets = [f"[{', '.join(left)}]" if left else ""] * len(targets)
        if isinstance(statement, Sort) and statement.spell_bound:
            brackets[0] = f"[{', '.join([*left[:-1], f'{left[-1]} < {statement.tensor.dims[-1]}'])}]"
        return f"{', '.join(map(str.__add__, (tensor.name for tensor in targets), brackets))} = {call}"

    def _rope(self, statement: Rope, around: Names) -> str:
        names = self.with_indices(around, statement.indices)
        options = f"at={self.text(statement.at, names)}, dims={statement.channels}, layout={statement.layout}"
        options += f", base={statement.base!r}" if statement.base is not None else ""
        if statement.scaling is not None:
            rule, arguments = statement.scaling
            options += f", scaling={rule}({', '.join(map(repr, arguments))})"
        call = f"rope[{names[statement.indices[-1]]}]({self.text(statement.value, names)}, {options})"
        return f"{self._target(statement.tensor.name, statement.indices, names)} = {call}"

    def _quantize(self, statement: Quantize, around: Names) -> str:
        names = self.with_indices(around, statement.indices)
        rows, over = statement.indices[: -statement.axes], statement.indices[-statement.axes :]
        if statement.block:
            names = self.with_indices(names, [statement.block_index])
            rows = (*rows, statement.block_index)
        options = "" if statement.block is None else f", block={statement.block}"
        to = FORMATS[statement.to, statement.rule] if statement.named else statement.to
        options += "" if statement.named else f", scale={statement.rule}"
        options += "" if statement.floor is None else f", floor={statement.floor!r}"
        value = self.text(statement.value, names)
        call = f"quantize[{', '.join(names[index] for index in over)}]({value}, {to}{options})"
        left = self._target(statement.tensor.name, statement.indices, names)
        return f"{left}, {self._target(statement.scale.name, rows, names)} = {call}"

    def _put(self, statement: Put, around: Names) -> str:
        names = self.with_indices(around, statement.indices)
        dims = dict(zip(statement.indices, statement.dims, strict=True))
        places = []
        for place in statement.places:
            spelled = self.text(place, names)
            bounded = isinstance(place, Var) and place.name in statement.bounded
            places.append(f"{spelled} < {dims[place.name]}" if bounded and isinstance(place, Var) else spelled)
        brackets = f"[{', '.join(places)}]" if places else ""
        return f"{statement.memory}{brackets} {statement.operator} {self.text(statement.value, names)}"
