"""Draws the statements that define tensors from what can be read."""

from __future__ import annotations

from random_programs.declarations import Drawing
from random_programs.extents import Scope, as_i32, indices_alone, is_total, uses_tensor
from random_programs.program import Define, Select, Softmax, Sort, Topk
from random_programs.tree import KINDS, Expr, Tensor, Where

_SPECIAL_DIMS = (("N",), ("N", "D"), ("B", "P"), ("B", "P"), ("Q",), ("B", "N"), ("B", "T", "N"), ("R",), ("B", "U"))


class Statements(Drawing):
    """Statements that define tensors."""

    def free_dims(self) -> tuple[str, ...]:
        return self.random.choice(
            [("B",), ("B", "T"), ("B", "T"), ("B", "D"), ("B", "E"), ("D",), ("B", "T", "E"), ("E", "D"), ()]
            + [dims for dims in _SPECIAL_DIMS if set(dims) <= set(self.dims)]
        )

    def define(self) -> None:
        """A value of any kind under a new name, or under one that is in use."""
        for _ in range(60):
            dims = self.free_dims()
            scope, names = self.scope(dims)
            longs = any(tensor.kind == "l" for tensor in self.names.values())
            kind = self.random.choices("fiblx", [14, 4, 2, int(longs), 3])[0]
            value = self._defined_value(kind, scope)
            if value is None or value.kind != kind or not uses_tensor(value):
                continue
            self.defined(self.name_for(kind), dims, names, value)
            return

    def _defined_value(self, kind: str, scope: Scope) -> Expr | None:
        if kind == "x":
            return self.expressions().position_value(scope)
        if kind == "i" and self.chance(0.15):
            return self.expressions().wide_integer(scope)
        value = as_i32(self.expressions().of_kind(kind, scope, self.random.randint(2, 4)))
        return value if value.bound <= {"f": 1e6, "l": 2.0**60}.get(kind, 2.0**28) else None

    def name_for(self, kind: str) -> str:
        """A new name, or now and then one that another tensor had so far."""
        old = [tensor for tensor in self.names.values() if tensor.name.startswith("s") and tensor.role == "value"]
        same = [tensor.name for tensor in old if tensor.kind == kind and tensor.name not in self.kept]
        return self.random.choice(same) if same and not self.loops and self.chance(0.1) else self.fresh("s")

    def defined(self, name: str, dims: tuple[str, ...], names: tuple[str, ...], value: Expr) -> Tensor:
        """The statement `name[names] = value`."""
        total = is_total(value, self.scope_of(dims, names), self.tensors, self.present)
        spelled = self.spelled(names, value)
        tensor = self.value(name, dims, value)
        self.present -= {name}
        self.present |= {name} if total else set()
        self.body.append(Define(tensor, names, value, spelled))
        return tensor

    def topk(self) -> None:
        for _ in range(60):
            drawn = self._scored("ffi")
            if drawn is None:
                continue
            dim, free, names, value = drawn
            kind = value.kind
            if self.chance(0.3):
                scope = self.scope_of((*free, dim), names)
                tested = self.expressions().of_kind("b", scope, 1)
                value = Where(kind, value.exact, value.bound, value.step_bits, tested, value, None)
            slots = (*free, "K")
            order = self.random.choice(("score", "index", "any"))
            unordered = "any" * (order == "any")
            facts = (kind, value.exact, value.bound, value.step_bits)
            scores = Tensor(self.fresh(unordered + "best"), slots, KINDS[kind], "value", *facts, scores=True)
            picked = Tensor(self.fresh(unordered + "picked"), slots, "index", "value", "x", True, 64, 0)
            row = names[0] if self.dims[dim].per else None
            ends = (self.fresh("k"), names[-1], dim, row, value, "K", order)
            self.body.append(Topk(self.known(scores), self.known(picked), names[:-1], *ends))
            return

    def _scored(self, kinds: str = "f") -> tuple[str, tuple[str, ...], tuple[str, ...], Expr] | None:
        """A dim to choose from, the free dims, their indices and an exact score."""
        choices = [("T", ("B",)), ("T", ("B",)), ("D", ("B",)), ("E", ())] + [("N", ())] * ("N" in self.dims)
        dim, free = self.random.choice(choices)
        scope, names = self.scope((*free, dim))
        kind = self.random.choice(kinds)
        wide = self.expressions().wide_integer(scope) if kind == "i" and self.chance(0.3) else None
        value = wide or as_i32(self.expressions().of_kind(kind, scope, self.random.randint(1, 3), exact=True))
        alone = indices_alone(value)
        fits = value.exact and value.kind == kind and value.bound <= (2**31 if kind == "i" else 1e6)
        return (dim, free, names, value) if fits and all(name in alone for name in names) else None

    def select(self) -> None:
        for _ in range(60):
            drawn = self._scored("ffi")
            if drawn is None:
                continue
            dim, free, names, value = drawn
            scope = self.scope_of(free, names[:-1])
            limit = self.expressions().of_kind(value.kind, scope, self.random.randint(0, 1), exact=True)
            tensor = self.known(Tensor(self.fresh("kept"), (*free, "K"), "index", "value", "x", True, 64, 0))
            row = names[0] if self.dims[dim].per else None
            ends = (names[-1], dim, row, value, limit, self.chance(0.5), "K")
            self.body.append(Select(tensor, names[:-1], self.fresh("k"), *ends))
            return

    def sort(self) -> None:
        """Values in order, and often where each was; some are absent."""
        for _ in range(60):
            drawn = self._scored("ffi")
            if drawn is None:
                continue
            dim, free, names, value = drawn
            if self.chance(0.4):
                tested = self.expressions().of_kind("b", self.scope_of((*free, dim), names), 1)
                value = Where(value.kind, value.exact, value.bound, value.step_bits, tested, value, None)
            dims = (*free, dim)
            facts = (value.kind, value.exact, value.bound, value.step_bits)
            tensor = self.known(Tensor(self.fresh("s"), dims, KINDS[value.kind], "value", *facts))
            places = None
            if self.chance(0.6):
                places = self.known(Tensor(self.fresh("order"), dims, "index", "value", "x", True, 64, 0))
            row = names[0] if self.dims[dim].per else None
            ends = (dim, row, value, self.chance(0.5), self.chance(0.3))
            self.body.append(Sort(tensor, places, names[:-1], self.fresh("i"), names[-1], *ends))
            return

    def softmax(self) -> None:
        for _ in range(60):
            dims = self.random.choice([("B", "T"), ("B", "D"), ("B", "E"), ("B", "K")])
            scope, names = self.scope(dims)
            answered = self.expressions().answered("f", scope, False) if self.chance(0.3) else None
            value = answered or self.expressions().of_kind("f", scope, 2)
            if value.bound <= 60 and all(name in indices_alone(value) for name in names):
                tensor = self.known(Tensor(self.fresh("p"), dims, "f32", "value", "f", False, 1, 24))
                self.body.append(Softmax(tensor, names, 1, value))
                return
