"""Draws the statements that define tensors from what can be read."""

from __future__ import annotations

from math import prod

from random_programs.declarations import Drawing
from random_programs.extents import Scope, as_i32, indices_alone, is_total, uses_tensor
from random_programs.program import Define, Extreme, Over, Select, Softmax, Sort, Topk
from random_programs.tree import KINDS, Expr, Tensor, Where

Dims = tuple[str, ...]
Scored = tuple[tuple[Over, ...], Dims, Dims, Expr]
_SPECIAL_DIMS = (
    ("N",),
    ("N", "D"),
    ("B", "P"),
    ("B", "P"),
    ("Q",),
    ("B", "N"),
    ("B", "T", "N"),
    ("R",),
    ("B", "U"),
    ("B", "V"),
)
_CHOSEN_FROM: list[tuple[Dims, Dims]] = [
    (("T",), ("B",)), (("T",), ("B",)), (("D",), ("B",)), (("E",), ()), (("N",), ()),
]  # fmt: skip
_CHOSEN_FROM_SEVERAL: list[tuple[Dims, Dims]] = [
    (("D", "E"), ("B",)), (("E", "D"), ()), (("T", "D"), ("B",)), (("D", "T"), ("B",)), (("B", "T"), ()),
    (("B", "D"), ("E",)), (("N", "D"), ()), (("B", "N"), ()), (("B", "E", "D"), ()), (("D", "B", "T"), ()),
]  # fmt: skip
_NORMALISED: list[tuple[Dims, tuple[int, ...]]] = [
    *[(("B", "T"), (1,)), (("B", "D"), (1,)), (("B", "E"), (1,)), (("B", "K"), (1,))],
    (("B", "T", "D"), (2, 1)), (("B", "D", "E"), (1, 2)), (("B", "T"), (0, 1)), (("E", "B", "D"), (0, 2)),
    (("B", "T", "D"), (0, 1)), (("B", "E", "D"), (2, 0, 1)),
]  # fmt: skip


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
            over, free, names, value = drawn
            kind = value.kind
            if self.chance(0.3):
                value = self._sometimes(value, over, free, names)
            taken = "R" if "R" in self.dims and self.chance(0.6) else "K"
            slots = (*free, taken)
            order = self.random.choice(("score", "index", "any"))
            unordered = "any" * (order == "any")
            facts = (kind, value.exact, value.bound, value.step_bits)
            scores = Tensor(self.fresh(unordered + "best"), slots, KINDS[kind], "value", *facts, scores=taken == "K")
            picked = self._tensors_of_indices(unordered + "picked", slots, over)
            ends = (self.fresh("k"), over, value, taken, order)
            self.body.append(Topk(self.known(scores), picked, names, *ends))
            return

    def _scored(self, kinds: str = "f", several: float = 0.45) -> Scored | None:
        """The indices to choose from, the free dims, their indices and an exact score. With the chance `several` there
        is more than one to choose from."""
        choices = _CHOSEN_FROM_SEVERAL if self.chance(several) else _CHOSEN_FROM
        dims, free = self.random.choice([item for item in choices if {*item[0], *item[1]} <= set(self.dims)])
        scope, names = self.scope((*free, *dims))
        kind = self.random.choice(kinds)
        wide = self.expressions().wide_integer(scope) if kind == "i" and self.chance(0.3) else None
        value = wide or as_i32(self.expressions().of_kind(kind, scope, self.random.randint(1, 3), exact=True))
        alone = indices_alone(value)
        fits = value.exact and value.kind == kind and value.bound <= (2**31 if kind == "i" else 1e6)
        if not fits or not all(name in alone for name in names):
            return None
        over = tuple(Over(name, *scope[name]) for name in names[len(free) :])
        return over, free, names[: len(free)], value

    def _sometimes(self, value: Expr, over: tuple[Over, ...], free: tuple[str, ...], names: tuple[str, ...]) -> Expr:
        """The value, absent where some condition does not hold."""
        dims = (*free, *(item.dim for item in over))
        scope = self.scope_of(dims, (*names, *(item.index for item in over)))
        tested = self.expressions().of_kind("b", scope, 1)
        return Where(value.kind, value.exact, value.bound, value.step_bits, tested, value, None)

    def _tensors_of_indices(self, name: str, dims: tuple[str, ...], over: tuple[Over, ...]) -> tuple[Tensor, ...]:
        """A tensor of indices for each of those that a statement goes over."""
        return tuple(
            self.known(Tensor(self.fresh(name), dims, "index", "value", "x", True, 64, 0)) for _ in range(len(over))
        )

    def select(self) -> None:
        for _ in range(60):
            drawn = self._scored("ffi")
            if drawn is None:
                continue
            over, free, names, value = drawn
            scope = self.scope_of(free, names)
            limit = self.expressions().of_kind(value.kind, scope, self.random.randint(0, 1), exact=True)
            kept = self._tensors_of_indices("kept", (*free, "K"), over)
            self.body.append(Select(kept, names, self.fresh("k"), over, value, limit, self.chance(0.5), "K"))
            return

    def extreme(self) -> None:
        """Where the largest or the smallest is, by each of several indices."""
        for _ in range(60):
            drawn = self._scored("ffi", several=1)
            if drawn is None:
                continue
            over, free, names, value = drawn
            if self.chance(0.4):
                value = self._sometimes(value, over, free, names)
            function = self.random.choice(("argmax", "argmin"))
            self.body.append(Extreme(function, self._tensors_of_indices("place", free, over), names, over, value))
            return

    def sort(self) -> None:
        """Values in order, and often where each was; some are absent."""
        for _ in range(60):
            drawn = self._scored("ffi", several=0.2)
            if drawn is None:
                continue
            over, free, names, value = drawn
            sizes = [self.dims[item.dim].size for item in over]
            if len(over) > 1 and None in sizes:
                continue
            if self.chance(0.4):
                value = self._sometimes(value, over, free, names)
            dim = over[0].dim if len(over) == 1 else self.number(prod(size or 0 for size in sizes))
            facts = (value.kind, value.exact, value.bound, value.step_bits)
            tensor = self.known(Tensor(self.fresh("s"), (*free, dim), KINDS[value.kind], "value", *facts))
            places = self._tensors_of_indices("order", (*free, dim), over) if self.chance(0.6) else ()
            ends = (over, value, self.chance(0.5), self.chance(0.3))
            self.body.append(Sort(tensor, places, names, self.fresh("i"), *ends))
            return

    def softmax(self) -> None:
        for _ in range(60):
            dims, axes = self.random.choice(_NORMALISED)
            scope, names = self.scope(dims)
            answered = self.expressions().answered("f", scope, False) if self.chance(0.3) else None
            value = answered or self.expressions().of_kind("f", scope, 2)
            if value.bound <= 60 and all(name in indices_alone(value) for name in names):
                tensor = self.known(Tensor(self.fresh("p"), dims, "f32", "value", "f", False, 1, 24))
                self.body.append(Softmax(tensor, names, axes, value))
                return
