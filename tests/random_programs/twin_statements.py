"""Prints the statements of a random program's twin that define tensors."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from random_programs.expand import Expansion
from random_programs.presence import Condition, Facts, Given, InRange, substitute_condition
from random_programs.program import Define, Program, Quantize, Rope, Select, Softmax, Sort, Statement, Topk
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
        axis = names[statement.axis]
        dim, rows = facts.dims[statement.axis]
        lanes = f"{{{axis}: {value} for {axis} in {self._span(dim, None if rows is None else names[rows])}}}"
        body = [f"for {axis}, lane in softmax({lanes}):", f"    {tensor}[{places(names)}] = lane"]
        return [f"{tensor} = Values()", *self.loops(names, facts, body, skip={statement.axis})]

    def _topk(self, statement: Topk) -> list[str]:
        pairs = f"(({statement.index}, {self.text(statement.value)}) for {statement.index} in "
        pairs += f"{self._span(statement.dim, statement.row)})"
        at = places((*statement.free, statement.slot))
        names = (*statement.free, statement.slot)
        scores, picked = self._shown(statement.scores, names), self._shown(statement.picked, names)
        body = [
            f"best = topk({pairs}, extents.of({statement.k!r}), {statement.order!r})",
            f"for {statement.slot}, (index, score) in enumerate(best):",
            f"    {picked}[{at}], {scores}[{at}] = index, score",
        ]
        return [f"{picked} = Values()", f"{scores} = Values()", *self.loops(statement.free, self.known[picked], body)]

    def _select(self, statement: Select) -> list[str]:
        triples = f"(({statement.index}, {self.text(statement.value)}, {self.text(statement.threshold)}) "
        triples += f"for {statement.index} in {self._span(statement.dim, statement.row)})"
        at = places((*statement.free, statement.slot))
        kept = self._shown(statement.tensor, (*statement.free, statement.slot))
        body = [
            f"kept = select({triples}, extents.of({statement.k!r}), {statement.strict})",
            f"for {statement.slot}, index in enumerate(kept):",
            f"    {kept}[{at}] = index",
        ]
        return [f"{kept} = Values()", *self.loops(statement.free, self.known[kept], body)]

    def _shown(self, tensor: Tensor, names: tuple[str, ...]) -> str:
        """A new variable for a tensor that itself shows which of its elements are there."""
        variable = self.define(tensor)
        facts = (tensor.kind, tensor.exact, tensor.bound, tensor.step_bits)
        own = Read(*facts, variable, tuple(Var("x", True, 64, 0, name) for name in names))
        self.know(tensor, variable, indices=names, conditions=(Given(own),))
        return variable

    def _sort(self, statement: Sort) -> list[str]:
        """Present elements come first; past them there is nothing, which the places themselves show."""
        free, slot, index = statement.free, statement.slot, statement.index
        pairs = f"(({index}, {self.text(statement.value)}) for {index} in {self._span(statement.dim, statement.row)})"
        names, of_value = (*free, slot), self.conditions(statement.value)
        dims = statement.tensor.dims
        order = statement.places or Tensor(f"{statement.tensor.name}_order", dims, "index", "value", "x", True, 64, 0)
        found = self._shown(order, names)
        at = Read("x", True, 64, 0, found, tuple(Var("x", True, 64, 0, name) for name in names))
        row = None if statement.row is None else Var("x", True, 4, 0, statement.row)
        of_place = tuple(substitute_condition(item, {index: at}) for item in of_value)
        tensor = self.define(statement.tensor, names, (Given(at), InRange(statement.dim, at, row), *of_place))
        body = [
            f"kept = in_order({pairs}, {statement.descending})",
            f"for {slot} in {self._span(statement.dim, statement.row)}:",
            f"    if {slot} < len(kept):",
            f"        {found}[{places(names)}], {tensor}[{places(names)}] = kept[{slot}]",
        ]
        return [f"{found} = Values()", f"{tensor} = Values()", *self.loops(free, self.known[tensor], body)]

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
        facts, axis = self.known[tensor], len(names) - 1
        block = statement.block or self.program.dims[facts.dims[axis][0]].size
        lanes = f"[{value} for {names[axis]} in {self._span(facts.dims[axis][0], None)}]"
        rule = f"{statement.to!r}, {statement.rule!r}, {statement.floor or 1e-4}, {block}"
        scales = (*names[:-1], "part") if statement.block else names[:-1]
        body = [
            f"narrow, scales = quantize({lanes}, {rule})",
            f"for {names[axis]}, lane in enumerate(narrow):",
            f"    {tensor}[{places(names)}] = lane",
            "for part, lane in enumerate(scales):",
            f"    {scale}[{places(scales)}] = lane",
        ]
        return [f"{tensor} = Values()", f"{scale} = Values()", *self.loops(names, facts, body, skip={axis})]


def places(names: tuple[str, ...]) -> str:
    """A tuple as Python writes it."""
    return f"({', '.join(names)},)" if names else "()"
