"""Draws what expressions of every kind are made of: reads, positions, choices and reductions."""

from __future__ import annotations

import math
from dataclasses import replace

from random_programs.extents import Scope, indices_alone
from random_programs.positions import WIDE, Positions, index_of
from random_programs.tree import Age, Binary, Const, DimValue, Expr, Read, Reduce, Tensor, Unary, Var, Where, Whole
from random_programs.wholes import WHOLES

_LARGEST_EXACT = 2.0**23


def is_exact(bound: float, step_bits: int) -> bool:
    """Whether every multiple of 2^-step_bits up to bound is an f32, with a bit to spare."""
    return step_bits < 200 and bound * 2.0**step_bits < _LARGEST_EXACT


def fitted(value: Expr, bound: float, bits: int) -> Expr:
    """The value within a bound and, where it is exact, with so many binary places: clamped and rounded down."""
    if value.kind == "f" and value.exact and value.step_bits > bits:
        value = Unary("f", True, value.bound + 1, 0, "floor", value)
    if value.bound <= bound:
        return value
    limit = float(math.floor(bound)) if value.kind == "f" else math.floor(bound)
    high = Const(value.kind, True, limit, 0, limit)
    low = Const(value.kind, True, limit, 0, -limit)
    value = Binary(value.kind, value.exact, value.bound, value.step_bits, "min", value, high)
    return Binary(value.kind, value.exact, limit, value.step_bits, "max", value, low)


class Parts(Positions):
    """Draws parts over what can be read where `drawing` stands."""

    def _constant(self, kind: str) -> Expr:
        """A small constant of that kind."""
        raise NotImplementedError

    def _leaf(self, kind: str, scope: Scope, exact: bool) -> Expr | None:
        if self.random.random() < 0.1:
            return self._constant(kind)
        given = [item for item in self.drawing.arguments if item.kind == kind and (item.exact or not exact)]
        if given and self.random.random() < 0.6:
            return self.random.choice(given)
        return self._read(kind, scope, exact) or self._constant(kind)

    def argument(self, scope: Scope, depth: int) -> Expr | None:
        """The place of an exact extreme: argmax or argmin over a dim."""
        function = self.random.choice(("argmax", "argmin"))
        found = self._reduce("x", function, self.random.choice("fi"), scope, min(depth, 1), True)
        return found if found is not None and found.exact else None

    def _call(self, kind: str, scope: Scope, depth: int, exact: bool) -> Expr | None:
        """A call of a function that returns an expression."""
        formula = self.drawing.formula(kind, exact)
        if formula is None:
            return None
        arguments = []
        for item in formula.arguments:
            drawn = self._draw(item.kind, scope, depth, item.exact)
            if drawn.kind == "x":
                drawn = Unary("i", True, drawn.bound, 0, "i32", drawn)
            if drawn.kind != item.kind or (item.exact and not drawn.exact):
                return None
            arguments.append(fitted(drawn, item.bound, item.step_bits))
        return replace(formula, arguments=tuple(arguments))

    def age(self, scope: Scope) -> Expr | None:
        """How old a slot of a ring is."""
        rings = [tensor for tensor in self.drawing.names.values() if tensor.ring]
        if not rings:
            return None
        ring = self.random.choice(rings)
        slots = next(dim for dim in ring.dims if self.dims[dim].size)
        plain = [name for name, (over, _) in scope.items() if over == slots]
        slot = index_of(self.random.choice(plain)) if plain else self._position(slots, None, scope, plain)
        return Age("i", True, 8, 0, ring.name, slot, len(rings) == 1 and self.random.random() < 0.5)

    def _choose(self, kind: str, scope: Scope, depth: int, exact: bool) -> Expr:
        condition = self._draw("b", scope, depth, True)
        value = self._draw(kind, scope, depth, exact)
        kept = self._before_its_end(kind, scope, exact) if self.random.random() < 0.15 else None
        condition, value = kept or (condition, value)
        if self.random.random() < 0.4:
            return Where(kind, value.exact, value.bound, value.step_bits, condition, value, None)
        other = self._draw(kind, scope, depth - 1, exact)
        bound, bits = max(value.bound, other.bound), max(value.step_bits, other.step_bits)
        both = value.exact and other.exact and (kind == "i" or is_exact(bound, bits))
        if kept is None and self.random.random() < 0.2:
            return Binary(kind, both, bound, bits, "coalesce", value, other)
        return Where(kind, both, bound, bits, condition, value, other)

    def _before_its_end(self, kind: str, scope: Scope, exact: bool) -> tuple[Expr, Expr] | None:
        """A read by an index that may go past the end of what is read, and the condition that it does not."""
        plain = [name for name, (dim, row) in scope.items() if dim != "B" and row is None]
        ends = [dim for dim in self.dims.values() if dim.per is None and not dim.name.isdigit() and dim.name != "B"]
        if not plain or not ends:
            return None
        name, end = self.random.choice(plain), self.random.choice(ends)
        read = self._read(kind, {**scope, name: (end.name, None)}, exact)
        extent = DimValue("x", True, end.size or end.bound, 0, end.name, None)
        condition = Binary("b", True, 1, 0, "<", index_of(name), extent)
        return None if read is None else (condition, read)

    # Reductions

    def _reduced_dim(self, rows: list[str]) -> str:
        """A dim to reduce over; those of a row where there is one."""
        dims = self.dims
        plain = [name for name in ("N", "Q", "S", "L", "M", "R", "W") if name in dims]
        per = [name for name in ("P", "U", "V") if name in dims]
        choices = ["D", "E", "D", "E", "K", "in place", *plain, *plain[:2]] + ["B"] * (not rows)
        choices += ["T", "T", "T", *per] if rows else []
        dim = self.random.choice(choices)
        return self.drawing.number(self.random.choice((2, 3))) if dim == "in place" else dim

    def _reduce(self, kind: str, function: str, inner: str, scope: Scope, depth: int, exact: bool) -> Expr | None:
        rows = [name for name, (dim, _) in scope.items() if dim == "B"]
        dim = self._reduced_dim(rows)
        known = self.dims[dim]
        row = self.random.choice(rows) if known.per else None
        name = self.drawing.fresh("i" if dim.isdigit() else dim.lower())
        body = self._draw(inner, {**scope, name: (dim, row)}, depth, exact)
        if function == "mean" and self.random.random() < 0.4:
            body = self._reduce(kind, function, inner, {**scope, name: (dim, row)}, depth, exact) or body
        alone = not dim.isdigit() and name in indices_alone(body)
        if known.per is not None and not alone:
            return None  # nothing would say which row it is
        largest = known.size or known.bound
        bound, bits = body.bound, body.step_bits
        if function == "sum":
            bound *= largest
        elif function == "prod":
            bound, bits = min(max(bound, 1), 1e3) ** largest, bits * largest
            if bound > 1e6:
                return None
        elif function in ("argmax", "argmin"):
            bound, bits = 64, 0
        elif function == "count":
            bound = largest
        elif function in ("max", "min"):
            if kind == "f" and self.random.random() < 0.2:
                condition = self._draw("b", {**scope, name: (dim, row)}, depth - 1, True)
                body = self._or_infinite(function, condition, body)
            return self._clamped(function, name, dim, row, body, not alone)
        if function in ("any", "all"):
            bound = 1
        keeps = function in ("sum", "prod", "count", "any", "all", "argmax", "argmin") and (
            kind != "f" or is_exact(bound, bits)
        )
        joins = ("sum", "prod", "any", "all", "mean")
        same = isinstance(body, Reduce) and body.function == function and function in joins
        joined = same and self.random.random() < 0.7
        return Reduce(kind, body.exact and keeps, bound, bits, function, name, dim, row, body, not alone, joined)

    def _over_an_index(self, scope: Scope, depth: int) -> Expr | None:
        """A function over an index: one in scope that it keeps, or one of its own."""
        function = self.random.choice(tuple(WHOLES))
        rows = [name for name, (dim, _) in scope.items() if dim == "B"]
        if WHOLES[function].keeps:
            names = [name for name, (dim, row) in scope.items() if not self.dims[dim].per or row]
            if not names:
                return None
            name = self.random.choice(names)
            dim, row = scope[name]
            # Inside it is another index of that name, whose rows are not those of what is in scope.
            scope = {other: known for other, known in scope.items() if known[1] != name}
        else:
            dim = self._reduced_dim(rows)
            row = self.random.choice(rows) if self.dims[dim].per else None
            name = self.drawing.fresh("i" if dim.isdigit() else dim.lower())
        operand = self._draw("f", {**scope, name: (dim, row)}, depth, False)
        alone = not dim.isdigit() and name in indices_alone(operand)
        if operand.kind != "f" or (not alone and (WHOLES[function].keeps or self.dims[dim].per)):
            return None
        known = self.dims[dim]
        bound = WHOLES[function].bound(operand.bound, known.size or known.bound)
        facts = ("f", False, bound, 24, function, name, dim, row, operand)
        return Whole(*facts, not alone) if bound < 1e6 else None

    def _or_infinite(self, function: str, condition: Expr, body: Expr) -> Expr:
        """What is reduced where a condition holds, else what an extreme never is unless there is nothing else."""
        edge = Const("f", True, body.bound, 0, -math.inf if function == "max" else math.inf)
        return Where("f", body.exact, body.bound, body.step_bits, condition, body, edge)

    def _clamped(self, function: str, name: str, dim: str, row: str | None, body: Expr, spell: bool) -> Expr:
        """max and min over nothing are infinite (integers: extreme): clamp, so that what follows stays bounded."""
        reduced = Reduce(body.kind, body.exact, body.bound, body.step_bits, function, name, dim, row, body, spell)
        clamp = "max" if function == "max" else "min"
        limit = math.ceil(body.bound) + 1
        value = -limit if function == "max" else limit
        edge = Const(body.kind, True, limit, 0, float(value) if body.kind == "f" else value)
        return Binary(body.kind, body.exact, limit, body.step_bits, clamp, reduced, edge)

    # Reads

    def _read(self, kind: str, scope: Scope, exact: bool) -> Expr | None:
        candidates = [
            tensor
            for tensor in self.drawing.names.values()
            if tensor.kind == kind
            and (tensor.exact or not exact)
            and not tensor.name.startswith("any")  # the order is nobody's
            and tensor.bound < WIDE
        ]
        self.random.shuffle(candidates)
        for tensor in candidates:
            indices = self._indices(tensor, scope)
            if indices is not None:
                return Read(kind, tensor.exact, max(tensor.bound, 1), tensor.step_bits, tensor.name, indices)
        return None

    def _indices(self, tensor: Tensor, scope: Scope) -> tuple[Expr, ...] | None:
        indices: list[Expr] = []
        layer = self.drawing.layered.get(tensor.name)
        for position, dim in enumerate(tensor.dims):
            if layer and not position:
                indices.append(index_of(layer))
                continue
            plain = [name for name, (over, _) in scope.items() if over == dim]
            per = self.dims[dim].per
            if per is not None:  # the row of a live dim is the index that stands at the rows' position
                row = indices[tensor.dims.index(per)]
                plain = [name for name in plain if isinstance(row, Var) and scope[name][1] == row.name]
            if dim == "B" and not plain:
                return None
            if self.dims[dim].size:  # a bound written in place stands before constant extents
                size = self.dims[dim].size or 0
                plain += [name for name, (over, _) in scope.items() if over.isdigit() and int(over) <= size]
            if plain and (dim == "B" or self.random.random() < 0.8):
                indices.append(index_of(self.random.choice(plain)))
            else:
                row = indices[tensor.dims.index(per)] if per else None
                indices.append(self._position(dim, row.name if isinstance(row, Var) else None, scope, plain))
        return tuple(indices)
