"""Prints what a random program's twin does to memories: appends, updates, puts, rings, clears."""

from __future__ import annotations

from random_programs.program import Append, Clear, Define, Program, Put, Statement, Step
from random_programs.tree import Binary, Expr, Read, Tensor, is_position
from random_programs.twin_statements import TwinStatements, places

ZEROS = {"f": "exact(0)", "b": "False", "x": "-1"}


class TwinMemory(TwinStatements):
    """Prints writes of memories. `guards` are the conditions of the blocks around, a variable and its indices; `layers`
    are the memories that the loop around appends to layer by layer, and its index."""

    def __init__(self, program: Program, step: Step) -> None:
        super().__init__(program)
        self.step = step
        self.guards: list[tuple[str, tuple[str, ...]]] = []
        self.layers: dict[str, str] = {}

    def zero(self, tensor: Tensor) -> str:
        """What an absent element is stored as."""
        return ZEROS.get(tensor.kind, "0")

    def guarded(self) -> str:
        """Whether all conditions around hold, for the indices in scope."""
        return " and ".join(f"{name}.read({', '.join(indices)})" for name, indices in self.guards)

    def stored(self, tensor: Tensor, variable: str) -> str:
        """A tensor as it is once stored: nothing within its extents is absent. Of a memory that a loop appends to layer
        by layer, the layer that the loop is at."""
        if self.known[variable].pending and tensor.name not in self.layers:
            return f"Values({variable})"
        layer = f", {self.layers[tensor.name]}" if tensor.name in self.layers else ""
        return f"filled({variable}, extents.places({self.known[variable].dims!r}{layer}), {self.zero(tensor)})"

    def writing(self, statement: Statement) -> list[str]:
        """The lines of a statement that writes a memory; its values are resolved."""
        match statement:
            case Define():
                return self._update(statement)
            case Put():
                return self._put(statement)
            case Append() if self.tensor(statement.memory).ring:
                return self._append_to_ring(statement)
            case Append():
                return self._append(statement)
            case Clear():
                return self._clear(statement)
        raise TypeError(statement)

    def _update(self, statement: Define) -> list[str]:
        """A whole memory, or a layer of it. With conditions around, and where the step gives it rows, it is written
        element by element."""
        tensor, old = statement.tensor, self.current[statement.tensor.name]
        names = (statement.layer, *statement.indices) if statement.layer else statement.indices
        anew = not self.guards and not set(tensor.dims) & set(self.step.grows)
        value = self._stored_value(tensor, statement.value)
        body = [f"lane = {self.text(statement.value)}"]
        new = self.define(tensor)
        write = f"{new}[{places(names)}] = {value}"
        body += [f"if {self.guarded()}:", f"    {write}"] if self.guards else [write]
        anew_values = f"other_layers({old}, {statement.layer})" if statement.layer else "Values()"
        first = [f"{new} = {anew_values if anew else self.stored(tensor, old)}"]
        skip = {0} if statement.layer else set()
        return [*first, *self.loops(names, self.known[new], body, skip=skip)]

    def _put(self, statement: Put) -> list[str]:
        """All writes are found first, so that they read the old values; then they happen in order, sums at once."""
        memory = self.program.tensors[statement.memory]
        old = self.current[memory.name]
        put = statement.value
        if statement.operator in ("*=", "/="):
            before = Read(put.kind, put.exact, put.bound, put.step_bits, old, statement.places)
            put = Binary(put.kind, put.exact, put.bound, put.step_bits, statement.operator[0], before, put)
        value, where = self.text(put), [self.text(place) for place in statement.places]
        dims = self.known[old].dims
        lines = ["writes = []"]
        rows = dict(zip(statement.dims, statement.indices, strict=True))
        for depth, (name, dim) in enumerate(zip(statement.indices, statement.dims, strict=True)):
            lines.append(
                f"{'    ' * depth}for {name} in {self._span(dim, rows.get(self.program.dims[dim].per or ''))}:"
            )
        inside = []
        for position, (dim, rows_at) in enumerate(dims):
            row = "" if rows_at is None else f", at[{rows_at}]"
            inside.append(f"in_range(at[{position}], extents.of({dim!r}{row}))")
        tests = " and ".join([*([self.guarded()] if self.guards else []), *inside]) or "True"
        body = [f"at = {places(tuple(where))}", f"if {tests}:", f"    writes.append((at, {value}))"]
        lines += [f"{'    ' * len(statement.indices)}{line}" for line in body]
        new = self.define(memory)
        lines.insert(0, f"{new} = {self.stored(memory, old)}")
        if statement.operator in ("+=", "-="):
            return [*lines, f"add_writes({new}, writes, {memory.dtype!r}, {statement.operator[0]!r})"]
        plain = self._stored_value(memory, put)
        return [*lines, "for at, lane in writes:", f"    {new}[at] = {plain}"]

    def _stored_value(self, memory: Tensor, value: Expr) -> str:
        """What a memory keeps of `lane`, an element of a value."""
        zero = "-1" if memory.kind in "il" and is_position(value) else self.zero(memory)
        return f"store({memory.dtype!r}, {zero} if lane is None else lane)"

    def _stored_row(self, memory: Tensor, rows: str) -> str:
        """What a memory keeps of `lane`, an element of an appended tensor."""
        return f"store({memory.dtype!r}, {self.zero(self.held[rows])} if lane is None else lane)"

    def _append(self, statement: Append) -> list[str]:
        """Rows at the end of each batch row (or of the whole memory); absent elements are stored as 0."""
        memory, rows = self.program.tensors[statement.memory], self.current[statement.rows]
        grown = next(dim for dim in memory.dims if dim in self.step.grows)
        growth, old = self.growth(self.step.grows[grown]), self.current[memory.name]
        if memory.dtype.startswith("sparse"):
            extents = f"extents.of({memory.dims[0]!r}), extents.of({grown!r})"
            new = self.define(memory)
            return [f"{new} = append_columns({old}, {rows}, {extents}, {growth})"]
        at, first = memory.dims.index(grown), 1 if statement.layer else 0
        names = tuple(f"a{position}" for position in range(len(memory.dims)))
        names = (statement.layer, *names[1:]) if statement.layer else names
        single = len(self.known[rows].dims) < len(names) - first
        read = ["new" if name == names[at] else name for name in names[first:] if name != names[at] or not single]
        # Of a memory by layers, a loop reads the layer that has its rows; all have them when it ends.
        new = self.define(memory)
        dim, per = self.known[new].dims[at]
        body = [
            f"for new in range({growth}):",
            f"    {names[at]} = {self._extent(dim, None if per is None else names[per])} - {growth} + new",
            f"    lane = {rows}.read({', '.join(read)})",
            f"    {new}[{places(names)}] = {self._stored_row(memory, rows)}",
        ]
        return [f"{new} = Values({old})", *self.loops(names, self.known[new], body, skip={at, first - 1})]

    def _append_to_ring(self, statement: Append) -> list[str]:
        """The slot that is free, or the oldest one's."""
        memory, rows = self.program.tensors[statement.memory], self.current[statement.rows]
        old = self.current[memory.name]
        facts = self.known[old]
        new, count = self.variable(memory.name), self.variable(f"{memory.name}_count")
        slots = self._extent(facts.dims[facts.slots][0], None)
        names = tuple(f"a{position}" for position in range(len(facts.dims)))
        read = ", ".join(name for position, name in enumerate(names) if position != facts.slots)
        at = [facts.count + f" % {slots}" if position == facts.slots else name for position, name in enumerate(names)]
        lane = f"lane = {rows}.read({read})"
        kept = f"{new}[{places(tuple(at))}] = {self._stored_row(memory, rows)}"
        body = self.loops(names, facts, [lane, kept], skip={facts.slots})
        lines = [f"{new}, {count} = Values({old}), {facts.count} + 1", *body]
        return self._ring(memory, new, count, lines)

    def _ring(self, memory: Tensor, new: str, count: str, lines: list[str]) -> list[str]:
        """What makes a ring's next version, where the conditions around hold."""
        old = self.current[memory.name]
        facts = self.known[old]
        self.know(memory, new, count=count, slots=facts.slots)
        self.current[memory.name] = new
        if not self.guards:
            return lines
        kept = f"{new}, {count} = {old}, {facts.count}"
        return [kept, f"if {self.guarded()}:", *(f"    {line}" for line in lines)]

    def _clear(self, statement: Clear) -> list[str]:
        memory = self.program.tensors.get(statement.name)
        if memory is not None:
            new, count = self.variable(memory.name), self.variable(f"{memory.name}_count")
            return self._ring(memory, new, count, [f"{new}, {count} = Values(), 0"])
        held = f"bool({self.guarded() or 'True'})"
        rows = next((indices[0] for _, indices in self.guards if indices), None)
        if rows is None:
            return [f"cleared['all', {statement.name!r}] |= {held}"]
        per = self.program.dims[statement.name].per or ""
        return [f"for {rows} in {self._span(per, None)}:", f"    cleared[{statement.name!r}][{rows}] |= {held}"]
