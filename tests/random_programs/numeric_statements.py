"""Draws rope and quantize, whose values are present everywhere."""

from __future__ import annotations

from random_programs.expression_parts import index_of
from random_programs.extents import Scope, indices_alone, is_total
from random_programs.program import Quantize, Rope
from random_programs.statements import Statements
from random_programs.tree import FORMATS, Binary, Const, Dim, DimValue, Expr, Tensor

_SCALINGS = (
    ("linear", (2.0,)),
    ("linear", (4.0,)),
    ("yarn", (4.0, 16.0, 4.0, 1.0)),
    ("yarn", (8.0, 64.0, 32.0, 1.0)),
    ("llama3", (8.0, 32.0, 1.0, 4.0)),
    ("llama3", (2.0, 8.0, 0.5, 2.0)),
)


NARROW = {"fp8": ("f", 448, 9), "fp4": ("f", 6, 1), "i8": ("i", 128, 0), "i4": ("i", 8, 0), "i2": ("i", 2, 0)}
"""What is quantised to: the kind of exact values, their bound and the binary places that they need."""


class NumericStatements(Statements):
    """Statements that turn and that quantise."""

    def _present_value(self, exact: bool) -> tuple[tuple[str, ...], tuple[str, ...], Expr] | None:
        """Dims, indices and a float value that is present everywhere."""
        dims = self.random.choice([("B", "D"), ("B", "E"), ("E", "D"), ("B", "T", "D"), ("B", "K")])
        scope, names = self.scope(dims)
        answered = self.expressions().answered("f", scope, exact) if self.chance(0.3) else None
        value = answered or self.expressions().of_kind("f", scope, 1, exact=exact)
        fits = (value.exact or not exact) and value.bound <= 60
        return (dims, names, value) if fits and self.is_whole(value, scope, names) else None

    def is_whole(self, value: Expr, scope: Scope, names: tuple[str, ...]) -> bool:
        """Whether a value is present everywhere and says the extents of all of its indices."""
        total = is_total(value, scope, self.tensors, self.present)
        return total and set(names) <= indices_alone(value)

    def rope(self) -> None:
        for _ in range(60):
            drawn = self._present_value(False)
            if drawn is None:
                continue
            dims, names, value = drawn
            scope = self.scope_of(dims[:-1], names[:-1])
            at: Expr = index_of(self.random.choice(names[:-1]))
            if "B" in dims and self.chance(0.5):
                row = next(name for name, (dim, _) in scope.items() if dim == "B")
                at = Binary("x", True, 64, 0, "-", DimValue("x", True, 48, 0, "T", row), Const("x", True, 1, 0, 1))
            tensor = self.known(Tensor(self.fresh("s"), dims, "f32", "value", "f", False, 2 * value.bound, 24))
            channels = self.random.randrange(2, (self.dims[dims[-1]].size or 2) + 1, 2)
            layout = self.random.choice(("half", "interleaved"))
            base = self.random.choice((None, None, 100.0, 500000.0))
            scaling = self.random.choice(_SCALINGS) if self.chance(0.3) else None
            self.body.append(Rope(tensor, names, value, at, channels, layout, base, scaling))
            self.present.add(tensor.name)
            return

    def quantize(self) -> None:
        for _ in range(60):
            drawn = self._present_value(True)
            if drawn is not None and drawn[2].step_bits <= 10:
                dims = drawn[0]
                size = self.dims[dims[-1]].size or 1
                block = self.random.choice([None, *(each for each in (2, 4) if size % each == 0)])
                rule = self.random.choice(("pow2", "f32", "e8m0", "e8m0", "fp8", "bf16", "f16"))
                axes = 2 if block is None and self.chance(0.4) else 1
                to = self.random.choice(tuple(NARROW))
                if block is not None and self.chance(0.5):
                    to, rule = self.random.choice(tuple(FORMATS))
                self.quantized(*drawn, to, rule, block, axes)
                return

    def quantized(
        self,
        dims: tuple[str, ...],
        names: tuple[str, ...],
        value: Expr,
        to: str,
        rule: str,
        block: int | None,
        axes: int = 1,
    ) -> tuple[Tensor, Tensor]:
        """The statement that quantises a value over its last `axes` indices, and its results."""
        kind, bound, bits = NARROW[to]
        exact = rule in ("pow2", "e8m0")
        if not exact:
            kind, bits = ("f", 24) if kind == "f" else ("q", 24)
        scale_dims = dims[:-axes] if block is None else (*dims[:-1], self.blocks(dims[-1], block))
        tensor = self.known(Tensor(self.fresh("s"), dims, to, "value", kind, exact, bound, bits))
        stored = "f32" if rule == "pow2" else rule
        scale = self.known(Tensor(self.fresh("s"), scale_dims, stored, "value", "f", False, 64, 24))
        floor = self.random.choice((None, None, 0.5))
        named = block is not None and (to, rule) in FORMATS and self.chance(0.7)
        ends = (rule, floor, block, self.fresh("g") if block else "", axes, named)
        self.body.append(Quantize(tensor, scale, names, value, to, *ends))
        self.present |= {tensor.name, scale.name}
        return tensor, scale

    def blocks(self, dim: str, block: int) -> str:
        """The dim over the blocks of another."""
        size = (self.dims[dim].size or 0) // block
        name = f"{dim}B{block}"
        self.dims.setdefault(name, Dim(name, size=size, derived=("//", dim, block)))
        return name
