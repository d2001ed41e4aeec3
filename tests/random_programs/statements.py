"""Draws the statements that define tensors."""

from __future__ import annotations

from random_programs.declarations import Declarations
from random_programs.extents import as_i32, indices_alone, is_total, uses_tensor
from random_programs.tree import (
    Binary,
    Const,
    Define,
    DimValue,
    Expr,
    Quantize,
    Rope,
    Select,
    Softmax,
    Tensor,
    Topk,
    Var,
    Where,
)

_SPECIAL_DIMS = (("N",), ("N", "D"), ("B", "P"), ("B", "P"), ("Q",), ("B", "N"), ("B", "T", "N"))


class Statements(Declarations):
    """Statements that define tensors."""

    def _free_dims(self) -> tuple[str, ...]:
        return self.random.choice(
            [("B",), ("B", "T"), ("B", "T"), ("B", "D"), ("B", "E"), ("D",), ("B", "T", "E"), ("E", "D")]
            + [dims for dims in _SPECIAL_DIMS if set(dims) <= set(self.built.dims)]
        )

    def _define(self, stage: str) -> None:
        for _ in range(60):
            dims = self._free_dims()
            scope, names = self._scope(dims)
            kind = self.random.choices("fibl", [14, 4, 2, 1 if "big" in self.built.tensors else 0])[0]
            value = as_i32(self._expressions().of_kind(kind, scope, self.random.randint(2, 4)))
            largest = {"f": 1e6, "l": 2.0**60}.get(kind, 2.0**28)
            if value.bound > largest or value.kind != kind or not uses_tensor(value):
                continue
            spelled = self._spelled(names, dims, value)
            tensor = self._value(self.fresh("s"), dims, value)
            self.built.statements.append(Define(tensor, names, value, spelled, stage))
            return

    def _topk(self, stage: str) -> None:
        for _ in range(60):
            drawn = self._scored()
            if drawn is None:
                continue
            dim, free, names, value = drawn
            if self.random.random() < 0.3:
                scope = self._scope_of((*free, dim), names)
                tested = self._expressions().of_kind("b", scope, 1)
                value = Where("f", value.exact, value.bound, value.step_bits, tested, value, None)
            slots = (*free, "K")
            order = self.random.choice(("score", "index", "any"))
            unordered = "any" * (order == "any")
            scores = self._value(self.fresh(unordered + "best"), slots, value)
            scores = Tensor(scores.name, slots, "f32", "value", "f", False, value.bound, 24)
            self.built.tensors[scores.name] = scores
            picked = Tensor(self.fresh(unordered + "picked"), slots, "index", "value", "x", True, 64, 0)
            self.built.tensors[picked.name] = picked
            row = names[0] if self.built.dims[dim].per else None
            self.built.statements.append(
                Topk(scores, picked, names[:-1], self.fresh("k"), names[-1], dim, row, value, "K", order, stage)
            )
            return

    def _scored(self) -> tuple[str, tuple[str, ...], tuple[str, ...], Expr] | None:
        """A dim to choose from, the free dims, their indices and an exact score."""
        choices = [("T", ("B",)), ("T", ("B",)), ("D", ("B",)), ("E", ())] + [("N", ())] * ("N" in self.built.dims)
        dim, free = self.random.choice(choices)
        scope, names = self._scope((*free, dim))
        value = self._expressions().of_kind("f", scope, self.random.randint(1, 3), exact=True)
        alone = indices_alone(value)
        if not value.exact or value.bound > 1e6 or any(name not in alone for name in names):
            return None
        return dim, free, names, value

    def _select(self, stage: str) -> None:
        for _ in range(60):
            drawn = self._scored()
            if drawn is None:
                continue
            dim, free, names, value = drawn
            scope = self._scope_of(free, names[:-1])
            limit = self._expressions().of_kind("f", scope, self.random.randint(0, 1), exact=True)
            tensor = Tensor(self.fresh("kept"), (*free, "K"), "index", "value", "x", True, 64, 0)
            self.built.tensors[tensor.name] = tensor
            row = names[0] if self.built.dims[dim].per else None
            ends = (names[-1], dim, row, value, limit, self.random.random() < 0.5, "K", stage)
            self.built.statements.append(Select(tensor, names[:-1], self.fresh("k"), *ends))
            return

    def _present(self, exact: bool) -> tuple[tuple[str, ...], tuple[str, ...], Expr] | None:
        """Dims, indices and a float value that is present everywhere."""
        dims = self.random.choice([("B", "D"), ("B", "E"), ("E", "D"), ("B", "T", "D")])
        scope, names = self._scope(dims)
        value = self._expressions().of_kind("f", scope, 1, exact=exact)
        fits = value.exact or not exact
        alone = indices_alone(value)
        if fits and value.bound <= 60 and all(name in alone for name in names) and is_total(value, scope, self.built):
            return dims, names, value
        return None

    def _rope(self, stage: str) -> None:
        for _ in range(60):
            drawn = self._present(False)
            if drawn is None:
                continue
            dims, names, value = drawn
            scope = self._scope_of(dims[:-1], names[:-1])
            at: Expr = Var("x", True, 64, 0, self.random.choice(names[:-1]))
            if "B" in dims and self.random.random() < 0.5:
                row = next(name for name, (dim, _) in scope.items() if dim == "B")
                at = Binary("x", True, 64, 0, "-", DimValue("x", True, 48, 0, "T", row), Const("x", True, 1, 0, 1))
            tensor = Tensor(self.fresh("s"), dims, "f32", "value", "f", False, 2 * value.bound, 24)
            self.built.tensors[tensor.name] = tensor
            channels = self.random.randrange(2, (self.built.dims[dims[-1]].size or 2) + 1, 2)
            layout = self.random.choice(("half", "interleaved"))
            self.built.statements.append(Rope(tensor, names, value, at, channels, layout, stage))
            return

    def _quantize(self, stage: str) -> None:
        for _ in range(60):
            drawn = self._present(True)
            if drawn is None or drawn[2].step_bits > 10:
                continue
            dims, names, value = drawn
            to = self.random.choice(("fp8", "i8", "i4"))
            kind, bound, bits = ("f", 448, 9) if to == "fp8" else ("i", 128, 0)
            tensor = Tensor(self.fresh("s"), dims, to, "value", kind, True, bound, bits)
            scale = Tensor(self.fresh("s"), dims[:-1], "f32", "value", "f", False, 16, 24)
            self.built.tensors |= {tensor.name: tensor, scale.name: scale}
            self.built.statements.append(Quantize(tensor, scale, names, value, to, stage))
            return

    def _softmax(self, stage: str) -> None:
        for _ in range(60):
            dims = self.random.choice([("B", "T"), ("B", "D"), ("B", "E")])
            scope, names = self._scope(dims)
            value = self._expressions().of_kind("f", scope, 2)
            if value.bound <= 60 and all(name in indices_alone(value) for name in names):
                tensor = Tensor(self.fresh("p"), dims, "f32", "value", "f", False, 1, 24)
                self.built.tensors[tensor.name] = tensor
                self.built.statements.append(Softmax(tensor, names, 1, value, stage))
                return
