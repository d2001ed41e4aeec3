"""Prints the statements of a random program's twin that define tensors."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from random_programs.expand import Expansion
from random_programs.presence import Condition, Facts, Given, InRange, mentioned, substitute_condition
from random_programs.program import (
    Define,
    Extreme,
    Over,
    Program,
    Quantize,
    Rope,
    Select,
    Softmax,
    Sort,
    Statement,
    Topk,
)
from random_programs.rewrite import children, mapped, with_children
from random_programs.tree import Age, Expr, Read, Tensor, Var
from random_programs.twin_expressions import TwinExpressions, facts_of


class TwinStatements(TwinExpressions):
    """Prints statements as plain Python lines. Every definition of a name makes a new variable, so that what was read
    from the old one stays what it was: `current` has the variable of each name."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.expansion = Expansion(program)
        self.current: dict[str, str] = {}
        self._versions: dict[str, int] = {}

    def variable(self, name: str) -> str:
        """A new variable for a name, not current yet."""
        number = self._versions[name] = self._versions.get(name, 0) + 1
        return name if number == 1 else f"{name}_v{number}"

    def define(self, tensor: Tensor, names: tuple[str, ...] = (), conditions: tuple[Condition, ...] = ()) -> str:
        """A new variable for a tensor that is present under these conditions over the names of its indices."""
        variable = self.variable(tensor.name)
        self.know(tensor, variable, indices=names, conditions=conditions)
        self.current[tensor.name] = variable
        return variable

    def know(self, tensor: Tensor, variable: str, **more: object) -> None:
        """Keep the facts of a tensor under a variable, and which one it is: a name may be defined again as another."""
        self.held[variable] = tensor
        self.known[variable] = facts_of(tensor.dims, {name: dim.per for name, dim in self.program.dims.items()}, **more)

    def tensor(self, name: str) -> Tensor:
        return self.expansion.tensors[name]

    def resolved(self, statement: Statement) -> Statement:
        """The statement with calls expanded, reading the variables that are current now."""
        expanded = self.expansion.statement(statement)
        changed = with_children(expanded, [mapped(value, self._resolved) for value in children(expanded)])
        assert isinstance(changed, Statement)
        return changed

    def value(self, expr: Expr) -> Expr:
        """One expression, as `resolved` does it."""
        return mapped(self.expansion.value(expr), self._resolved)

    def _resolved(self, part: Expr) -> Expr:
        if isinstance(part, Read):
            return replace(part, tensor=self.current[part.tensor])
        return replace(part, ring=self.current[part.ring]) if isinstance(part, Age) else part

    def defining(self, statement: Statement) -> list[str]:
        """The lines of a statement that defines tensors; its values are resolved."""
        match statement:
            case Define():
                conditions = self.conditions(statement.value)
                lanes = [f"lane = {self.text(statement.value)}", "if lane is not None:"]
                name = self.define(statement.tensor, statement.indices, conditions)
                body = [*lanes, f"    {name}[{places(statement.indices)}] = lane"]
                return [f"{name} = Values()", *self.loops(statement.indices, self.known[name], body)]
            case Softmax():
                return self._softmax(statement)
            case Topk():
                return self._topk(statement)
            case Select():
                return self._select(statement)
            case Extreme():
                return self._extreme(statement)
            case Sort():
                return self._sort(statement)
            case Rope():
                return self._rope(statement)
            case Quantize():
                return self._quantize(statement)
        raise TypeError(statement)

    def loops(self, names: tuple[str, ...], facts: Facts, body: list[str], skip: Collection[int] = ()) -> list[str]:
        """`body` in loops over a tensor's live places, some positions left out."""
        lines, depth = [], 0
        for position, (name, (dim, rows)) in enumerate(zip(names, facts.dims, strict=False)):
            if position not in skip:
                span = self._span(dim, None if rows is None else names[rows])
                lines.append(f"{'    ' * depth}for {name} in {span}:")
                depth += 1
        return lines + [f"{'    ' * depth}{line}" for line in body]

    def _softmax(self, statement: Softmax) -> list[str]:
        names = statement.indices
        conditions = self.conditions(statement.value)
        value = self.text(statement.value)
        tensor = self.define(statement.tensor, names, conditions)
        facts = self.known[tensor]
        axes = sorted(statement.axes)
        over = self._over(names, facts, axes)
        at = self._at(over)
        lanes = f"{{{at}: {value} {self._each(over)}}}"
        body = [f"for {at}, lane in softmax({lanes}):", f"    {tensor}[{places(names)}] = lane"]
        return [f"{tensor} = Values()", *self.loops(names, facts, body, skip=axes)]

    def _over(self, names: tuple[str, ...], facts: Facts, axes: Iterable[int]) -> tuple[Over, ...]:
        """The indices of a tensor at the positions `axes`."""
        dims = [(names[axis], *facts.dims[axis]) for axis in axes]
        return tuple(Over(name, dim, None if rows is None else names[rows]) for name, dim, rows in dims)

    def _each(self, over: tuple[Over, ...]) -> str:
        """The clauses of a comprehension that goes through all that the indices stand for, the last fastest."""
        return " ".join(f"for {item.index} in {self._span(item.dim, item.row)}" for item in over)

    def _at(self, over: tuple[Over, ...]) -> str:
        return places(tuple(item.index for item in over))

    def _topk(self, statement: Topk) -> list[str]:
        pairs = f"(({self._at(statement.over)}, {self.text(statement.value)}) {self._each(statement.over)})"
        names = (*statement.free, statement.slot)
        scores, picked = self._shown(statement.scores, names), [self._shown(item, names) for item in statement.picked]
        body = [
            f"best = topk({pairs}, extents.of({statement.k!r}), {statement.order!r})",
            f"for {statement.slot}, (index, score) in enumerate(best):",
            f"    {elements([*picked, scores], names)} = *index, score",
        ]
        return [*map(_empty, [*picked, scores]), *self.loops(statement.free, self.known[scores], body)]

    def _select(self, statement: Select) -> list[str]:
        triples = f"(({self._at(statement.over)}, {self.text(statement.value)}, {self.text(statement.threshold)}) "
        triples += f"{self._each(statement.over)})"
        names = (*statement.free, statement.slot)
        kept = [self._shown(item, names) for item in statement.kept]
        body = [
            f"kept = select({triples}, extents.of({statement.k!r}), {statement.strict})",
            f"for {statement.slot}, index in enumerate(kept):",
            f"    {elements(kept, names)} = index",
        ]
        return [*map(_empty, kept), *self.loops(statement.free, self.known[kept[0]], body)]

    def _extreme(self, statement: Extreme) -> list[str]:
        """What hangs on none of the indices that it goes over is passed on."""
        over = {item.index for item in statement.over}
        passed = tuple(item for item in self.conditions(statement.value) if not over & mentioned(item))
        pairs = f"(({self._at(statement.over)}, {self.text(statement.value)}) {self._each(statement.over)})"
        found = [self._shown(item, statement.free, passed) for item in statement.places]
        body = [
            f"best = argument_of({statement.function[3:]}, {pairs})",
            f"if {' and '.join(['best is not None', *map(self.condition, passed)])}:",
            f"    {elements(found, statement.free)} = best",
        ]
        return [*map(_empty, found), *self.loops(statement.free, self.known[found[0]], body)]

    def _shown(self, tensor: Tensor, names: tuple[str, ...], more: tuple[Condition, ...] = ()) -> str:
        """A new variable for a tensor that itself shows which of its elements are there."""
        variable = self.define(tensor)
        facts = (tensor.kind, tensor.exact, tensor.bound, tensor.step_bits)
        own = Read(*facts, variable, tuple(Var("x", True, 64, 0, name) for name in names))
        self.know(tensor, variable, indices=names, conditions=(Given(own), *more))
        return variable

    def _sort(self, statement: Sort) -> list[str]:
        """Present elements come first; past them there is nothing, which the places themselves show."""
        free, slot, over = statement.free, statement.slot, statement.over
        pairs = f"(({self._at(over)}, {self.text(statement.value)}) {self._each(over)})"
        names, of_value = (*free, slot), self.conditions(statement.value)
        name, dims = statement.tensor.name, statement.tensor.dims
        orders = statement.places or [
            Tensor(f"{name}_order_{item.index}", dims, "index", "value", "x", True, 64, 0) for item in over
        ]
        found = [self._shown(order, names) for order in orders]
        own = tuple(Var("x", True, 64, 0, index) for index in names)
        at = {item.index: Read("x", True, 64, 0, order, own) for item, order in zip(over, found, strict=True)}
        conditions: list[Condition] = []
        for item in over:
            row = None if item.row is None else Var("x", True, 4, 0, item.row)
            conditions += [Given(at[item.index]), InRange(item.dim, at[item.index], row)]
        conditions += [substitute_condition(item, at) for item in of_value]
        tensor = self.define(statement.tensor, names, tuple(conditions))
        body = [
            f"for {slot}, (index, lane) in enumerate(in_order({pairs}, {statement.descending})):",
            f"    {elements([*found, tensor], names)} = *index, lane",
        ]
        return [*map(_empty, [*found, tensor]), *self.loops(free, self.known[tensor], body)]

    def _rope(self, statement: Rope) -> list[str]:
        names, value, at = statement.indices, self.text(statement.value), self.text(statement.at)
        tensor = self.define(statement.tensor)
        facts, axis = self.known[tensor], len(names) - 1
        lanes = f"[{value} for {names[axis]} in {self._span(facts.dims[axis][0], None)}]"
        frequencies = f"frequencies({statement.channels}, {statement.base or 10000.0}, {statement.scaling!r})"
        turned = f"rope({lanes}, {at}, {frequencies}, {statement.layout!r})"
        body = [f"for {names[axis]}, lane in enumerate({turned}):", f"    {tensor}[{places(names)}] = lane"]
        return [f"{tensor} = Values()", *self.loops(names, facts, body, skip={axis})]

    def _quantize(self, statement: Quantize) -> list[str]:
        names, value = statement.indices, self.text(statement.value)
        tensor, scale = self.define(statement.tensor), self.define(statement.scale)
        facts, axes = self.known[tensor], range(len(names) - statement.axes, len(names))
        over = self._over(names, facts, axes)
        floor = statement.floor or (1e-4 if statement.rule in ("pow2", "f32") else 0.0)
        rule = f"{statement.to!r}, {statement.rule!r}, {floor}, {statement.block}"
        scales = (*names[: -statement.axes], *(["part"] if statement.block else []))
        body = [
            f"narrow, scales = quantize([{value} {self._each(over)}], {rule})",
            f"for {self._at(over)}, lane in zip([{self._at(over)} {self._each(over)}], narrow):",
            f"    {tensor}[{places(names)}] = lane",
            "for part, lane in enumerate(scales):",
            f"    {scale}[{places(scales)}] = lane",
        ]
        return [f"{tensor} = Values()", f"{scale} = Values()", *self.loops(names, facts, body, skip=axes)]


def _empty(variable: str) -> str:
    return f"{variable} = Values()"


def elements(variables: Iterable[str], names: tuple[str, ...]) -> str:
    """The elements of several tensors at the same place, as a tuple that is assigned to."""
    return "".join(f"{variable}[{places(names)}], " for variable in variables).strip()


def places(names: tuple[str, ...]) -> str:
    """A tuple as Python writes it."""
    return f"({', '.join(names)},)" if names else "()"
