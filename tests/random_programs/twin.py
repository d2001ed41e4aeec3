"""Prints a random program as plain Python over lanes: the independent twin that the compiler is judged by."""

from __future__ import annotations

from collections.abc import Callable

from random_programs.presence import Chosen, Condition, Holds, InRange, mentioned
from random_programs.tree import (
    Binary,
    Const,
    DimValue,
    Expr,
    Program,
    Read,
    Reduce,
    Unary,
    Var,
    Where,
)
from random_programs.twin_statements import TwinStatements

_FLOAT_OPERATORS = {
    "+": "add",
    "-": "subtract",
    "*": "multiply",
    "/": "divide",
    "min": "smaller",
    "max": "larger",
}
_FLOAT_REDUCTIONS = {"sum": "total", "mean": "mean", "prod": "product", "max": "largest", "min": "smallest"}
_INTEGER_REDUCTIONS = {
    "i": {"sum": "sum_of_integers", "max": "largest_integer", "min": "smallest_integer"},
    "l": {"sum": "sum_of_longs", "max": "largest_long", "min": "smallest_long"},
}


CASTS = ("bf16", "f16", "fp8", "fp8e5m2", "i8", "u8", "i16")


def print_twin(program: Program) -> str:
    """The twin's source: `step(extents, tensors)` computes one call; it returns the outputs' lanes and appends the
    new rows to the memories in `tensors`."""
    return _Twin(program).source()


class _Twin(TwinStatements):
    def source(self) -> str:
        lines = ["from random_programs.twin_runtime import *", "", "", "def step(extents, tensors):"]
        lines += [f"    {tensor.name} = tensors[{tensor.name!r}]" for tensor in self.program.declared]
        for statement in self.program.statements:
            lines += [f"    {line}" for line in self._statement(statement)]
        outputs = ", ".join(f"{name!r}: {name}" for name in self.program.outputs)
        return "\n".join([*lines, f"    return {{{outputs}}}"]) + "\n"

    def text(self, expr: Expr) -> str:
        match expr:
            case Const():
                return f"exact({expr.value!r})" if expr.kind == "f" else repr(int(expr.value))
            case Var():
                return expr.name
            case DimValue():
                return f"extents.of({expr.dim!r}{f', {expr.row}' if expr.row else ''})"
            case Read():
                return self._read(expr)
            case Unary():
                return self._unary(expr)
            case Binary():
                return self._binary(expr)
            case Where():
                other = "None" if expr.otherwise is None else self.text(expr.otherwise)
                chosen = f"({self.text(expr.value)} if c else {other})"
                return f"(lambda c: None if c is None else {chosen})({self.text(expr.condition)})"
            case Reduce():
                return self._reduce(expr)
        raise TypeError(expr)

    def _read(self, expr: Read) -> str:
        indices = [self.text(index) for index in expr.indices]
        return f"{expr.tensor}.read({', '.join(indices)})"

    def _unary(self, expr: Unary) -> str:
        inner = self.text(expr.operand)
        if expr.function == "-":
            return f"negate({inner})" if expr.kind == "f" else f"lift(lambda v: wrap(-v), {inner})"
        if expr.function == "not ":
            return f"lift(lambda v: not v, {inner})"
        if expr.function == "i32":
            return f"lift(lambda v: wrap(int(v[0])), {inner})" if expr.operand.kind == "f" else f"lift(wrap, {inner})"
        if expr.function in CASTS:
            return f"lift(lambda v: store({expr.function!r}, v), {inner})"
        if expr.function == "f32":
            return f"lift(exact, {inner})"
        if expr.kind in "il":
            return f"lift(abs, {inner})"
        return f"function({expr.function!r}, {inner})"

    def _binary(self, expr: Binary) -> str:
        left, right = self.text(expr.left), self.text(expr.right)
        if expr.kind == "f":
            return f"{_FLOAT_OPERATORS[expr.operator]}({left}, {right})"
        floats = expr.left.kind == "f"
        a, b = ("a[0]", "b[0]") if floats else ("a", "b")
        if expr.operator in ("min", "max"):
            plain = f"{expr.operator}({a}, {b})"
        elif expr.operator in ("//", "%"):
            plain = f"({a} {expr.operator} {b} if {b} else 0)"
        else:
            plain = f"{a} {expr.operator} {b}"
        if expr.kind in "il":
            plain = f"{'wrap' if expr.kind == 'i' else 'wrap_long'}({plain})"
        return f"lift(lambda a, b: {plain}, {left}, {right})"

    def _reduce(self, expr: Reduce) -> str:
        span = f"extents.span({expr.dim!r}{f', {expr.row}' if expr.row else ''})"
        body = self.text(expr.body)
        if expr.function in ("argmax", "argmin"):
            best = expr.function[3:]
            value = f"argument_of({best}, (({expr.index}, {body}) for {expr.index} in {span}))"
        elif expr.function in ("any", "all"):
            value = f"{expr.function}(present({body} for {expr.index} in {span}))"
        elif expr.function == "count":
            value = f"sum(present({body} for {expr.index} in {span}))"
        else:
            table = _FLOAT_REDUCTIONS if expr.kind == "f" else _INTEGER_REDUCTIONS["l" if expr.kind == "l" else "i"]
            value = f"{table[expr.function]}({body} for {expr.index} in {span})"
        passed_on = [item for item in self._conditions(expr.body) if expr.index not in mentioned(item)]
        if not passed_on:
            return value
        return f"({value} if {' and '.join(map(self._condition, passed_on))} else None)"

    def _condition(self, item: Condition) -> str:
        match item:
            case InRange():
                row = "" if item.row is None else f", {self.text(item.row)}"
                return f"in_range({self.text(item.index)}, extents.of({item.dim!r}{row}))"
            case Holds():
                return f"({self.text(item.condition)})"
            case Chosen():
                branch = [" and ".join(map(self._condition, part)) or "True" for part in (item.if_true, item.if_false)]
                return f"(({branch[0]}) if ({self.text(item.condition)}) else ({branch[1]}))"


def load_twin(source: str) -> Callable[..., dict[str, object]]:
    """Execute a twin's source and return its `step`."""
    namespace: dict[str, object] = {}
    exec(compile(source, "<twin>", "exec"), namespace)
    return namespace["step"]  # type: ignore[return-value]
