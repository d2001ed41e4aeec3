"""Prints the statements of a random program's twin, given how its expressions are printed."""

from __future__ import annotations

from random_programs.presence import Condition, conditions
from random_programs.tree import (
    Append,
    Define,
    Dim,
    Expr,
    Program,
    Put,
    Quantize,
    Rope,
    Select,
    Softmax,
    Tensor,
    Topk,
)


class TwinStatements:
    """Prints statements as plain Python lines."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.positions = {tensor.name: _positions(tensor, program.dims) for tensor in program.tensors.values()}
        self.absence: dict[str, tuple[tuple[str, ...], tuple[Condition, ...]]] = {}

    def text(self, expr: Expr) -> str:
        """An expression as Python."""
        raise NotImplementedError

    def _statement(self, statement: object) -> list[str]:
        match statement:
            case Define() if statement.tensor.role == "memory":
                return self._update(statement)
            case Define():
                self.absence[statement.tensor.name] = (statement.indices, self._conditions(statement.value))
                body = [f"lane = {self.text(statement.value)}"]
                body += ["if lane is not None:", f"    {statement.tensor.name}[{_tuple(statement.indices)}] = lane"]
                return [f"{statement.tensor.name} = Values()", *self._loops(statement.indices, statement.tensor, body)]
            case Softmax():
                return self._softmax(statement)
            case Topk():
                return self._topk(statement)
            case Select():
                return self._select(statement)
            case Rope():
                return self._rope(statement)
            case Quantize():
                return self._quantize(statement)
            case Append():
                return self._append(statement)
            case Put():
                return self._put(statement)
        raise TypeError(statement)

    def _loops(self, names: tuple[str, ...], tensor: Tensor, body: list[str], skip: int = -1) -> list[str]:
        lines, depth = [], 0
        for position, (name, (dim, rows)) in enumerate(zip(names, self.positions[tensor.name], strict=False)):
            if position != skip:
                row = "" if rows is None else f", {names[rows]}"
                lines.append(f"{'    ' * depth}for {name} in extents.span({dim!r}{row}):")
                depth += 1
        return lines + [f"{'    ' * depth}{line}" for line in body]

    def _softmax(self, statement: Softmax) -> list[str]:
        names, tensor = statement.indices, statement.tensor
        self.absence[tensor.name] = (names, self._conditions(statement.value))
        axis = names[statement.axis]
        dim, rows = self.positions[tensor.name][statement.axis]
        row = "" if rows is None else f", {names[rows]}"
        lanes = f"{{{axis}: {self.text(statement.value)} for {axis} in extents.span({dim!r}{row})}}"
        body = [f"for {axis}, lane in softmax({lanes}):", f"    {tensor.name}[{_tuple(names)}] = lane"]
        return [f"{tensor.name} = Values()", *self._loops(names, tensor, body, skip=statement.axis)]

    def _topk(self, statement: Topk) -> list[str]:
        row = "" if statement.row is None else f", {statement.row}"
        pairs = f"(({statement.index}, {self.text(statement.value)}) for {statement.index} in "
        pairs += f"extents.span({statement.dim!r}{row}))"
        places = _tuple((*statement.free, statement.slot))
        score = "exact(score)" if statement.scores.kind == "f" else "score"
        body = [
            f"best = topk({pairs}, extents.of({statement.k!r}), {statement.order!r})",
            f"for {statement.slot}, (index, score) in enumerate(best):",
            f"    {statement.picked.name}[{places}] = index",
            f"    {statement.scores.name}[{places}] = {score}",
        ]
        head = [f"{statement.picked.name} = Values()", f"{statement.scores.name} = Values()"]
        return head + self._loops(statement.free, statement.picked, body)

    def _select(self, statement: Select) -> list[str]:
        row = "" if statement.row is None else f", {statement.row}"
        triples = f"(({statement.index}, {self.text(statement.value)}, {self.text(statement.threshold)}) "
        triples += f"for {statement.index} in extents.span({statement.dim!r}{row}))"
        places = _tuple((*statement.free, statement.slot))
        body = [
            f"kept = select({triples}, extents.of({statement.k!r}), {statement.strict})",
            f"for {statement.slot}, index in enumerate(kept):",
            f"    {statement.tensor.name}[{places}] = index",
        ]
        return [f"{statement.tensor.name} = Values()", *self._loops(statement.free, statement.tensor, body)]

    def _rope(self, statement: Rope) -> list[str]:
        names, tensor = statement.indices, statement.tensor
        axis = len(names) - 1
        lanes = f"[{self.text(statement.value)} for {names[axis]} in extents.span({tensor.dims[axis]!r})]"
        turned = f"rope({lanes}, {self.text(statement.at)}, {statement.channels}, {statement.layout!r})"
        body = [f"for {names[axis]}, lane in enumerate({turned}):", f"    {tensor.name}[{_tuple(names)}] = lane"]
        return [f"{tensor.name} = Values()", *self._loops(names, tensor, body, skip=axis)]

    def _quantize(self, statement: Quantize) -> list[str]:
        names, tensor, scale = statement.indices, statement.tensor, statement.scale
        axis = len(names) - 1
        lanes = f"[{self.text(statement.value)} for {names[axis]} in extents.span({tensor.dims[axis]!r})]"
        body = [
            f"narrow, {scale.name}[{_tuple(names[:-1])}] = quantize({lanes}, {statement.to!r})",
            f"for {names[axis]}, lane in enumerate(narrow):",
            f"    {tensor.name}[{_tuple(names)}] = lane",
        ]
        head = [f"{tensor.name} = Values()", f"{scale.name} = Values()"]
        return head + self._loops(names, tensor, body, skip=axis)

    def _update(self, statement: Define) -> list[str]:
        """A whole memory is defined anew, from its old elements; what is absent is 0 from the next call on."""
        tensor = statement.tensor
        zero = {"f": "exact(0)", "b": "False"}.get(tensor.kind, "0")
        place = _tuple(statement.indices)
        body = [
            f"lane = {self.text(statement.value)}",
            f"kept[{place}] = store({tensor.dtype!r}, {zero} if lane is None else lane)",
            "if lane is not None:",
            f"    new[{place}] = kept[{place}]",
        ]
        loops = self._loops(statement.indices, tensor, body)
        self.absence[tensor.name] = (statement.indices, self._conditions(statement.value))
        return ["new, kept = Values(), Values()", *loops, f"{tensor.name}, tensors[{tensor.name!r}] = new, kept"]

    def _put(self, statement: Put) -> list[str]:
        """All writes are found first, so that they read the old values; then they happen in order."""
        memory = self.program.tensors[statement.memory]
        lines = [f"{memory.name} = tensors[{memory.name!r}] = Values({memory.name})", "writes = []"]
        for depth, (name, dim) in enumerate(zip(statement.indices, statement.dims, strict=True)):
            lines.append(f"{'    ' * depth}for {name} in extents.span({dim!r}):")
        body = [
            f"place = {self.text(statement.place)}",
            f"if in_range(place, extents.of({memory.dims[-1]!r})):",
            f"    writes.append(({_tuple((*statement.indices[:-1], 'place'))}, {self.text(statement.value)}))",
        ]
        lines += [f"{'    ' * len(statement.indices)}{line}" for line in body]
        name = memory.name
        if statement.adds:
            return [*lines, "for at, lane in writes:", f"    {name}[at] = wrap({name}[at] + (lane or 0))"]
        return [*lines, "for at, lane in writes:", f"    {name}[at] = lane or 0"]

    def _append(self, statement: Append) -> list[str]:
        """Rows at the end of each batch row (or of the whole memory); absent elements are stored as 0."""
        memory = self.program.tensors[statement.memory]
        grown = next(dim for dim in memory.dims if dim in self.program.grows)
        if memory.dtype.startswith("sparse"):
            new = f"{memory.name}, {statement.rows}, extents.of({memory.dims[0]!r}), extents.of({grown!r})"
            return [f"append_columns({new}, {self._growth(grown)})"]
        at = memory.dims.index(grown)
        names = tuple(f"a{position}" for position in range(len(memory.dims)))
        rows_names = tuple(name for position, name in enumerate(names) if position != at)
        dim, rows = self.positions[memory.name][at]
        row = "" if rows is None else f", {names[rows]}"
        zero = {"f": "exact(0)", "b": "False"}.get(memory.kind, "0")
        rows_names = names if len(self.program.tensors[statement.rows].dims) == len(names) else rows_names
        read = ", ".join("new" if name == names[at] else name for name in rows_names)
        body = [
            f"for new in range({self._growth(grown)}):",
            f"    {names[at]} = extents.of({dim!r}{row}) - {self._growth(grown)} + new",
            f"    lane = {statement.rows}.read({read})",
            f"    {memory.name}[{_tuple(names)}] = store({memory.dtype!r}, {zero} if lane is None else lane)",
        ]
        return self._loops(names, memory, body, skip=at)

    def _growth(self, dim: str) -> str:
        growth = self.program.grows[dim]
        return f"extents.of({growth!r})" if isinstance(growth, str) else str(growth)

    def _conditions(self, expr: Expr) -> tuple[Condition, ...]:
        return conditions(expr, self.positions, self.absence)


def _positions(tensor: Tensor, dims: dict[str, Dim]) -> tuple[tuple[str, int | None], ...]:
    def rows(dim: str) -> int | None:
        per = dims[dim].per
        return None if per is None else tensor.dims.index(per)

    return tuple((dim, rows(dim)) for dim in tensor.dims)


def _tuple(names: tuple[str, ...]) -> str:
    return f"({', '.join(names)},)" if names else "()"
