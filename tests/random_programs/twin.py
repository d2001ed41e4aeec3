"""Prints a random program as plain Python over lanes: the independent twin that the compiler is judged by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from random_programs.program import (
    Alias,
    Append,
    Clear,
    Define,
    Invoke,
    Loop,
    Program,
    Put,
    Statement,
    When,
    walk,
    written,
)
from random_programs.rewrite import mapped_statements, uses
from random_programs.tree import Tensor
from random_programs.twin_memory import TwinMemory
from random_programs.twin_statements import places


def print_twin(program: Program) -> str:
    """The twin's source: a function a step. `step_NAME(extents, tensors)` computes one call: it returns the outputs'
    lanes and which dims it empties, and leaves the memories' new lanes in `tensors`."""
    lines = [f"from random_programs.{name} import *" for name in ("twin_numbers", "twin_rounding", "twin_runtime")]
    for step in program.steps:
        lines += ["", "", *_Twin(program, step).source()]
    return "\n".join(lines) + "\n"


MOST_CHARACTERS = 1_000_000
"""Of a twin's text. Conditions of presence inside of each other are printed anew wherever they stand, and Python takes
minutes for some ten million characters."""


class TwinTooLong(Exception):
    """A program whose twin nobody would wait for."""


def load_twin(source: str) -> dict[str, Callable[..., tuple[dict[str, object], dict[object, Any]]]]:
    """Execute a twin's source and return its steps by name. Raises TwinTooLong."""
    if len(source) > MOST_CHARACTERS:
        raise TwinTooLong(f"the twin has more than {MOST_CHARACTERS:,} characters")
    namespace: dict[str, object] = {}
    exec(compile(source, "<twin>", "exec"), namespace)
    return namespace  # type: ignore[return-value]


class _Twin(TwinMemory):
    """Prints one step."""

    def source(self) -> list[str]:
        step, program = self.step, self.program
        body = tuple(self._flat(step.statements))
        lines = [f"def step_{step.name}(extents, tensors):", *_indented(self._begin(body))]
        for statement in body:
            lines += _indented(self._statement(statement))
        return lines + _indented(self._end(program))

    def _flat(self, statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
        """The statements, calls of functions replaced by what the functions say."""

        def change(item: Statement) -> tuple[Statement, ...]:
            if not isinstance(item, Invoke):
                return (item,)
            body, results = self.expansion.invoked(item)
            aliases = [
                Alias(target.name, result) if isinstance(result, str) else Define(target, (), result, ())
                for target, result in zip(item.targets, results, strict=True)
            ]
            return (*self._flat(body), *aliases)

        return mapped_statements(statements, change)

    def _begin(self, body: tuple[Statement, ...]) -> list[str]:
        """The tensors of the call; memories that take another tensor's values take them now."""
        lines = []
        named = {name for item in walk(body) for name in (*uses(item), *written(item))} | set(self.step.outputs)
        for tensor in self.program.declared:
            name = self.variable(tensor.name)
            pending = tuple((dim, by) for dim, by in self.step.grows.items() if dim in tensor.dims)
            facts = {"pending": pending if tensor.role == "memory" else ()}
            if tensor.ring:
                slots = next(at for at, dim in enumerate(tensor.dims) if self.program.dims[dim].size)
                facts |= {"count": self.variable(f"{name}_count"), "slots": slots}  # type: ignore[dict-item]
                lines.append(f"{name}_count = tensors.setdefault('{name}_count', 0)")
            self.know(tensor, name, **facts)
            self.current[tensor.name] = name
            lines.append(f"{name} = tensors.get({name!r})")
            if isinstance(tensor.initial, str) and name in named:
                source = self.program.tensors[tensor.initial]
                places = tuple(map(tensor.dims.index, source.dims))
                rows = tuple(at for at, dim in enumerate(tensor.dims) if not self.program.dims[dim].size)
                live = f"extents.places({tuple((dim, None) for dim in tensor.dims)})"
                begun = f"tensors.setdefault('{name}_set', set())"
                lines.append(
                    f"tensors[{name!r}] = {name} = "
                    f"begun({tensor.dtype!r}, {name}, tensors[{source.name!r}], {places}, {live}, {rows}, {begun})"
                )
        calls = Tensor("calls", (), "i32", "calls", "i", True, 64, 0)
        self.know(calls, "calls")
        self.current["calls"] = self.variable("calls")
        lines.append(f"calls = Values({{(): tensors.setdefault('{self.step.name}_calls', 0)}})")
        emptied = {item.name for item in walk(body) if isinstance(item, Clear) and item.name in self.program.dims}
        of_dims = []
        for dim in sorted(emptied):
            per = self.program.dims[dim].per
            of_dims += [f"('all', {dim!r}): False"]
            of_dims += [f"{dim!r}: [False] * extents.of({per!r})"] if per else []
        return [*lines, f"cleared = {{{', '.join(of_dims)}}}"]

    def _end(self, program: Program) -> list[str]:
        lines = [f"tensors['{self.step.name}_calls'] += 1"]
        for tensor in program.memories:
            variable = self.current[tensor.name]
            if variable == tensor.name:
                continue
            kept = variable
            if tensor.ring:
                lines.append(f"tensors['{tensor.name}_count'] = {self.known[variable].count}")
            elif not tensor.dtype.startswith("sparse"):
                kept = self.stored(tensor, variable)
            lines.append(f"tensors[{tensor.name!r}] = {kept}")
        outputs = ", ".join(f"{name!r}: {self.current[name]}" for name in self.step.outputs)
        return [*lines, f"return {{{outputs}}}, cleared"]

    def _statement(self, statement: Statement) -> list[str]:
        match statement:
            case When():
                return self._when(statement)
            case Loop():
                return self._loop(statement)
            case Alias():
                self.current[statement.name] = self.current[statement.of]
                return []
        resolved = self.resolved(statement)
        memory = isinstance(statement, Append | Put | Clear)
        memory |= isinstance(statement, Define) and statement.tensor.role == "memory"
        return self.writing(resolved) if memory else self.defining(resolved)

    def _when(self, block: When) -> list[str]:
        """The condition is taken where the block begins; names that it defines end with it."""
        condition = Tensor("when", block.dims, "bool", "value", "b", True, 1, 0)
        value = self.value(block.condition)
        name = self.define(condition, block.indices)
        body = [f"{name}[{places(block.indices)}] = {self.text(value)}"]
        lines = [f"{name} = Values()", *self.loops(block.indices, self.known[name], body)]
        memories = {tensor.name for tensor in self.program.memories}
        outside = {name: variable for name, variable in self.current.items() if name not in memories}
        self.guards.append((name, block.indices))
        for statement in block.body:
            lines += self._statement(statement)
        self.guards.pop()
        self.current = {name: self.current[name] for name in memories} | outside
        return lines

    def _loop(self, loop: Loop) -> list[str]:
        """What is carried from pass to pass is stored: nothing of it is absent."""
        carried = self._carried(loop)
        lines = []
        begin = {name: self.current[name] for name in carried}
        of_layers = {name for name in carried if self.known[begin[name]].pending}
        for name in carried:
            lines += self._carry(name, begin[name])
        through = {name: self.current[name] for name in carried}
        index = loop.index or self.variable("number")
        lines.append(f"for {index} in range({self.program.dims[loop.count].size}):")
        outside = dict(self.current)
        self.layers |= dict.fromkeys(of_layers, index)
        for statement in loop.body:
            lines += _indented(self._statement(statement))
        left, right = [], []
        for name in carried:
            variable = self.current[name]
            tensor = self.held[variable]
            left.append(through[name])
            right.append(variable if tensor.ring or _is_sparse(tensor) else self.stored(tensor, variable))
            if tensor.ring:
                left.append(self.known[through[name]].count)
                right.append(self.known[variable].count)
        if left:
            lines.append(f"    {', '.join(left)} = {', '.join(right)}")
        self.current = outside
        for name in of_layers:  # what the loop appends is there when it ends
            del self.layers[name]
            self.known[through[name]] = replace(self.known[through[name]], pending=())
        return lines

    def _carry(self, name: str, old: str) -> list[str]:
        """A variable for what goes from pass to pass."""
        tensor, facts = self.held[old], self.known[old]
        new = self.variable(name)
        if not tensor.ring:
            self.know(tensor, new, pending=facts.pending)
            self.current[name] = new
            return [f"{new} = {self.stored(tensor, old)}"]
        count = self.variable(f"{name}_count")
        self.know(tensor, new, count=count, slots=facts.slots)
        self.current[name] = new
        return [f"{new}, {count} = {old}, {facts.count}"]

    def _carried(self, loop: Loop) -> list[str]:
        """The names from before the loop that its body gives new values: memories wherever it writes them, others
        where no `when` of the body ends them."""
        found: dict[str, None] = {}

        def visit(statements: tuple[Statement, ...], guarded: bool) -> None:
            for item in statements:
                if isinstance(item, When | Loop):
                    visit(item.body, guarded or isinstance(item, When))
                for name in written(item):
                    memory = name in self.program.tensors and self.program.tensors[name].role == "memory"
                    if name in self.current and (memory or not guarded):
                        found[name] = None

        visit(loop.body, False)
        return list(found)


def _is_sparse(tensor: Tensor) -> bool:
    return tensor.dtype.startswith("sparse")


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
