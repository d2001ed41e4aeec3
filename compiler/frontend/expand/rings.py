"""Ring memories as plain memories that are read where they were written."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hetc.compiler.frontend.expand.rewriting import assignment, binary, mapped, scalar, where
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.resolve.names import FreshNames
from hetc.compiler.frontend.syntax import ast


@dataclass(frozen=True)
class _Ring:
    declaration: ast.Declaration
    count: str
    place: int

    @property
    def slots(self) -> ast.Expr:
        return self.declaration.extents[self.place]


class Rings:
    """A ring is a plain memory and the number of its appends, kept below twice its slots: slot n was written where
    n is below that number; the next append goes to the number modulo the slots."""

    def __init__(self, pipeline: ast.Pipeline, names: FreshNames, environment: Environment):
        self.pipeline, self.environment, self.diagnostics = pipeline, environment, environment.diagnostics
        self.rings: dict[str, _Ring] = {}
        for item in pipeline.declarations:
            if item.ring:
                place = next((at for at, size in enumerate(item.extents) if self._is_constant(size)), None)
                if place is None:
                    message = f"the ring `{item.name}` needs a dim of constant extent, for its slots"
                    self.diagnostics.error("HET102", message, item.name_span)
                else:
                    self.rings[item.name] = _Ring(item, names.fresh(f"{item.name}_count"), place)

    def _is_constant(self, extent: ast.Expr) -> bool:
        """Whether an extent is one; what was refused may have been."""
        names = [node.name for node, _ in ast.walk(extent) if isinstance(node, ast.Name)]
        dims, broken = self.environment.dims, self.environment.broken
        return all(name in broken or (name in dims and dims[name].size is not None) for name in names)

    def rewritten(self) -> ast.Pipeline:
        if not self.rings:
            return self.pipeline
        counts = [scalar(ring.count, ring.declaration.name_span) for ring in self.rings.values()]
        steps = tuple(replace(step, statements=self._statements(step.statements)) for step in self.pipeline.steps)
        functions = tuple(
            replace(
                function,
                statements=self._statements(function.statements),
                results=tuple(map(self._expression, function.results)),
            )
            for function in self.pipeline.functions
        )
        counters = {name: ring.count for name, ring in self.rings.items()}
        own = (replace(item, counter=counters.get(item.name, "")) for item in self.pipeline.declarations)
        declarations = (*own, *counts)
        return replace(self.pipeline, declarations=declarations, functions=functions, steps=steps)

    def _statements(self, statements: tuple[ast.Statement, ...]) -> tuple[ast.Statement, ...]:
        found: list[ast.Statement] = []
        for statement in statements:
            if isinstance(statement, ast.Effect) and statement.call.function == "append":
                found += self._append(statement)
            elif isinstance(statement, ast.Effect) and statement.call.function == "clear":
                found.append(self._clear(statement))
            elif isinstance(statement, ast.Define | ast.Effect):
                found += mapped((statement,), self._expression)
            else:
                (block,) = mapped((replace(statement, statements=()),), self._expression)
                found.append(replace(block, statements=self._statements(statement.statements)))  # type: ignore[arg-type]
        return tuple(found)

    def _append(self, statement: ast.Effect) -> list[ast.Statement]:
        """The rows go to the slot that is free, or the oldest; then there is one append more."""
        call, span = statement.call, statement.span
        memory = call.arguments[0] if len(call.arguments) == 2 else None
        ring = self.rings.get(memory.name) if isinstance(memory, ast.Name) else None
        if memory is None or ring is None or not isinstance(call.arguments[1], ast.Name):
            return [statement]
        rows = call.arguments[1]
        count: ast.Expr = ast.Name(ring.count, span)
        others = [at for at in range(len(ring.declaration.extents)) if at != ring.place]
        indices: list[ast.Index | ast.Expr] = [ast.Index(f"i{at}", None, span) for at in others]
        places: tuple[ast.Expr, ...] = tuple(ast.Name(f"i{at}", span) for at in others)
        value: ast.Expr = ast.Access(rows.name, places, rows.span, rows.span) if places else rows
        indices.insert(ring.place, binary("%", count, ring.slots, span))
        target = ast.Target(ring.declaration.name, tuple(indices), memory.span, span)
        more = binary("+", count, ast.Number(1, span), span)
        twice = binary("*", ast.Number(2, span), ring.slots, span)
        wrapped = where(span, binary("<", more, twice, span), more, binary("-", more, ring.slots, span))
        return [ast.Define((target,), "=", value, span), assignment(ring.count, wrapped, span)]

    def _clear(self, statement: ast.Effect) -> ast.Statement:
        """An emptied ring has had no appends."""
        name = statement.call.arguments[0] if statement.call.arguments else None
        ring = self.rings.get(name.name) if isinstance(name, ast.Name) else None
        if ring is None:
            return statement
        return assignment(ring.count, ast.Number(0, statement.span), statement.span)

    def _expression(self, expr: ast.Expr) -> ast.Expr:
        inner = ast.replace_children(expr, self._expression)
        if isinstance(inner, ast.Access) and inner.name in self.rings:
            ring = self.rings[inner.name]
            if len(inner.indices) == len(ring.declaration.extents):
                return where(inner.span, self._written(ring, inner.indices[ring.place]), inner)
        if isinstance(inner, ast.Call) and inner.function == "age" and not inner.indices and not inner.keywords:
            return self._age(inner)
        return inner

    def _written(self, ring: _Ring, slot: ast.Expr) -> ast.Expr:
        return binary("<", slot, ast.Name(ring.count, slot.span), slot.span)

    def _age(self, call: ast.Call) -> ast.Expr:
        """0 for the newest; `age(n)` where the pipeline has one ring, else `age(bank, n)`."""
        span = call.span
        *names, slot = call.arguments or (call,)
        known = [self.rings[item.name] for item in names if isinstance(item, ast.Name) and item.name in self.rings]
        chosen = known if names else list(self.rings.values())
        if len(names) > 1 or len(chosen) != 1:
            message = "`age` takes the ring and a slot of it"
            help = "write `age(bank, n)`, or `age(n)` in a pipeline with one ring"
            self.diagnostics.error("HET108", message, span, help=help)
            return ast.Number(0, span)
        ring = chosen[0]
        newest = binary("-", ast.Name(ring.count, span), ast.Number(1, span), span)
        age = binary("%", binary("-", newest, slot, span), ring.slots, span)
        # A place that is no slot has no age; an element of the ring is absent there by its place.
        is_slot = binary(
            "and", binary(">=", slot, ast.Number(0, span), span), binary("<", slot, ring.slots, span), span
        )
        return where(span, binary("and", is_slot, self._written(ring, slot), span), age)
