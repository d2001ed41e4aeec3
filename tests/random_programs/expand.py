"""What calls and pieces stand for: functions and `concat` replaced by the words that the language explains them by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from itertools import count
from typing import Any

from random_programs.program import Invoke, Program, Statement, walk, written
from random_programs.rewrite import children, mapped, parts_of, with_children
from random_programs.tree import (
    Argument,
    Binary,
    Call,
    Concat,
    Const,
    DimValue,
    Expr,
    Read,
    Reduce,
    Tensor,
    Var,
    Where,
    Whole,
)
from random_programs.wholes import WHOLES, meaning


def renamed(expr: Expr, names: Mapping[str, str]) -> Expr:
    """`expr` with indices renamed, those of reductions and rows included."""

    def change(part: Expr) -> Expr:
        match part:
            case Var():
                return replace(part, name=names.get(part.name, part.name))
            case DimValue():
                return replace(part, row=names.get(part.row or "", part.row))
            case Reduce() | Whole():
                row = names.get(part.row or "", part.row)
                return replace(part, index=names.get(part.index, part.index), row=row)
            case Concat():
                extents = tuple((dim, names.get(row or "", row)) for dim, row in part.extents)
                return replace(part, index=names.get(part.index, part.index), extents=extents)
        return part

    return mapped(expr, change)


class Expansion:
    """Expands the calls of one program; every call gets names of its own."""

    def __init__(self, program: Program) -> None:
        self.functions = {item.name: item for item in program.functions}
        self.tensors = dict(program.tensors)
        self._numbers = count(1)

    def value(self, expr: Expr) -> Expr:
        """`expr` without calls and concats."""

        def change(part: Expr) -> Expr:
            if isinstance(part, Concat):
                return _chosen(part)
            if isinstance(part, Whole):
                return meaning(part)
            if isinstance(part, Call):
                given = dict(zip(part.parameters, part.arguments, strict=True))
                return self.value(_with_arguments(self._own_indices(part.body), given))
            return part

        return mapped(expr, change)

    def _own_indices(self, body: Expr) -> Expr:
        """The body with its reductions' indices renamed for this call."""
        number = next(self._numbers)
        bound = {part.index for part in parts_of(body) if isinstance(part, Reduce) or _reduces(part)}
        return renamed(body, {name: f"{name}_{number}" for name in bound})

    def statement(self, statement: Statement) -> Statement:
        """The statement with its own values expanded, those inside of a block aside."""
        changed = with_children(statement, [self.value(value) for value in children(statement)])
        assert isinstance(changed, Statement)
        return changed

    def invoked(self, call: Invoke) -> tuple[tuple[Statement, ...], tuple[Expr | str, ...]]:
        """The statements of a call, and its results over their names."""
        function = self.functions[call.function]
        number = next(self._numbers)
        names = {item.name: name for item, name in zip(function.parameters, call.arguments, strict=True)}  # type: ignore[union-attr]
        declared = {name for name, tensor in self.tensors.items() if tensor.role in ("input", "weight", "memory")}
        for item in walk(function.body):
            names |= {name: f"{name}_{number}" for name in written(item) if name not in declared}
        for old, new in names.items():
            if new not in self.tensors:
                self.tensors[new] = replace(self.tensors[old], name=new)
        body = tuple(_with_tensors(item, names) for item in function.body)
        results = tuple(
            names.get(item, item) if isinstance(item, str) else _reads_renamed(item, names) for item in function.results
        )
        return body, results


def _reduces(part: Expr) -> bool:
    """Whether it is a call over an index of its own."""
    return isinstance(part, Whole) and not WHOLES[part.function].keeps


def _chosen(concat: Concat) -> Expr:
    """The part in whose range the index lies, at what is left of it there."""
    position = Var("x", True, 64, 0, concat.index)
    starts: list[Expr] = [Const("x", True, 0, 0, 0)]
    for dim, row in concat.extents[:-1]:
        size = DimValue("x", True, 64, 0, dim, row)
        starts.append(Binary("x", True, 256, 0, "+", starts[-1], size))
    shifted = [
        _at(part, concat.index, Binary("x", True, 256, 0, "-", position, start))
        for part, start in zip(concat.parts, starts, strict=True)
    ]
    result = shifted[-1]
    for part, end in zip(reversed(shifted[:-1]), reversed(starts[1:]), strict=True):
        inside = Binary("b", True, 1, 0, "<", position, end)
        result = Where(concat.kind, concat.exact, concat.bound, concat.step_bits, inside, part, result)
    return result


def _at(expr: Expr, name: str, place: Expr) -> Expr:
    return mapped(expr, lambda part: place if isinstance(part, Var) and part.name == name else part)


def _with_arguments(body: Expr, given: Mapping[str, Expr]) -> Expr:
    return mapped(body, lambda part: given[part.name] if isinstance(part, Argument) else part)


def _reads_renamed(expr: Expr, names: Mapping[str, str]) -> Expr:
    def change(part: Expr) -> Expr:
        return replace(part, tensor=names.get(part.tensor, part.tensor)) if isinstance(part, Read) else part

    return mapped(expr, change)


def _with_tensors(statement: Statement, names: Mapping[str, str]) -> Statement:
    """The statement with tensors renamed, where it reads and where it writes."""

    def changed(value: Any) -> Any:
        if isinstance(value, Expr):
            return _reads_renamed(value, names)
        if isinstance(value, Tensor):
            return replace(value, name=names.get(value.name, value.name))
        if isinstance(value, Statement):
            return _with_tensors(value, names)
        if isinstance(value, tuple):
            return tuple(changed(item) for item in value)
        return value

    found = {item.name: changed(getattr(statement, item.name)) for item in fields(statement)}
    if isinstance(statement, Invoke):
        found["arguments"] = tuple(names.get(name, name) for name in statement.arguments)
    result = type(statement)(**found)
    if hasattr(result, "rows") and hasattr(result, "memory"):
        return replace(result, rows=names.get(result.rows, result.rows))
    return result
