"""Draws tensors made of pieces, and what is kept narrow beside the scales of its blocks."""

from __future__ import annotations

from random_programs.expression_parts import index_of, is_exact
from random_programs.extents import Scope, as_i32, indices_alone
from random_programs.functions import Functions
from random_programs.numeric_statements import NARROW
from random_programs.program import Append, Define
from random_programs.tree import Binary, Concat, Const, Dim, Expr, Read, Reduce, Tensor


class Pieces(Functions):
    """Concatenations, and quantised rows of a memory."""

    def concat(self) -> None:
        """One tensor after another along a dim of its own; alone, in arithmetic or under a reduction."""
        for _ in range(40):
            free = self.random.choice(((), ("B",), ("B",), ("D",)))
            names = tuple(self.fresh(dim.lower()) for dim in free)
            dim, parts = self._sum_of(free)
            index = self.fresh(dim.lower() if dim.isalpha() else "i")
            drawn = self._concat(free, names, dim, parts, index)
            if drawn is None:
                continue
            dims, indices, value, bounded = drawn
            tensor = self.defined(self.fresh("s"), dims, indices, value)
            define = self.body.pop()
            assert isinstance(define, Define)
            spelled = tuple(name for name in define.spelled if name != index or bounded)
            self.body.append(Define(tensor, indices, value, spelled))
            return

    def _sum_of(self, free: tuple[str, ...]) -> tuple[str, list[str]]:
        """A dim that holds two or three others, and these."""
        parts = [self.random.choice("DEK") for _ in range(self.random.choice((2, 2, 3)))]
        name = parts[0]
        for dim in parts[1:]:
            size = (self.dims[name].size or 0) + (self.dims[dim].size or 0)
            self.dims.setdefault(f"{name}{dim}", Dim(f"{name}{dim}", size=size, derived=("+", name, dim)))
            name = f"{name}{dim}"
        live = "T" if "B" in free else "N" if "N" in self.dims else ""
        if not live or self.chance(0.6):
            return name, parts
        known, size = self.dims[live], self.dims[parts[0]].size or 0
        both = f"{live}{parts[0]}"
        derived = ("+", live, size)
        self.dims.setdefault(both, Dim(both, bound=known.bound + size, per=known.per, derived=derived))
        return both, self.random.sample([live, parts[0]], 2)

    def _concat(
        self, free: tuple[str, ...], names: tuple[str, ...], dim: str, parts: list[str], index: str
    ) -> tuple[tuple[str, ...], tuple[str, ...], Expr, bool] | None:
        """Dims, indices and value of a statement, and whether the extent along the pieces is said."""
        kind = self.random.choice("ffi")
        row = names[0] if free == ("B",) else None
        rows = [row if self.dims[part].per else None for part in parts]
        drawn = []
        for part, of in zip(parts, rows, strict=True):
            scope: Scope = {**self.scope_of(free, names), index: (part, of)}
            piece = self.expressions().of_kind(kind, scope, self.random.randint(0, 2))
            if index not in indices_alone(piece) or piece.kind != kind:
                return None
            drawn.append(piece)
        bound, bits = max(piece.bound for piece in drawn), max(piece.step_bits for piece in drawn)
        exact = all(piece.exact for piece in drawn) and (kind == "i" or is_exact(bound, bits))
        extents = tuple(zip(parts, rows, strict=True))
        value: Expr = Concat(kind, exact, bound, bits, index, tuple(drawn), extents)
        if bound > 1e6 or (self.dims[dim].size is None and self.dims[dim].per and row is None):
            return None
        if self.chance(0.4):
            whole = exact and is_exact(2 * bound, bits)
            two = Const(kind, True, 2, 0, 2.0 if kind == "f" else 2)
            value = Binary(kind, whole or kind == "i", 2 * bound, bits, "*", value, two)
        value = as_i32(value)
        constant = self.dims[dim].size is not None
        if self.chance(0.3):
            size = self.dims[dim].size or self.dims[dim].bound
            total, whole = size * value.bound, value.exact
            whole = whole and (kind == "i" or is_exact(total, bits))
            of_row = row if self.dims[dim].per else None
            value = Reduce(kind, whole, total, bits, "sum", index, dim, of_row, value, not constant)
            return (free, names, value, True) if total < 1e7 else None
        return (*free, dim), (*names, index), value, not constant or self.chance(0.5)

    def declare_blocks(self) -> None:
        """A memory of narrow rows and one of their scales, a scale for each block or for each row."""
        size = self.dims["D"].size or 1
        blocks = [each for each in (2, 4) if size % each == 0]
        block = self.random.choice([None, *blocks])
        dims = ("B", "T") if block is None else ("B", "T", self.blocks("D", block))
        dtype = self.random.choice(tuple(NARROW))
        exact = self.chance(0.5)
        kind, bound, bits = NARROW[dtype]
        kind = kind if exact or kind == "f" else "q"
        scale = self.random.choice(("f32", "e8m0") if exact else ("f32", "fp8", "bf16"))
        narrow = Tensor("packed", ("B", "T", "D"), dtype, "memory", kind, exact, bound, bits if exact else 24)
        self.known(narrow)
        self.known(Tensor("sized", dims, scale, "memory", "f", False, 64, 24))

    def _rows_of_input(self, dims: tuple[str, ...]) -> str:
        """A tensor over the dims that repeats an input."""
        names = tuple(self.fresh(dim.lower()) for dim in dims)
        value = Read("f", True, 2, 2, "x", (index_of(names[0]), index_of(names[-1])))
        return self.defined(self.fresh("r"), dims, names, value).name

    def append_blocks(self) -> None:
        """Quantised rows and their scales, appended to the two memories."""
        narrow, scale = self.tensors["packed"], self.tensors["sized"]
        dims = self.rows_dims(narrow)
        for _ in range(60):
            scope, names = self.scope(dims)
            value = self.expressions().of_kind("f", scope, 1, exact=True)
            if self.is_whole(value, scope, names) and value.exact and value.step_bits <= 10:
                break
        else:
            rows = self._rows_of_input(dims)
            scope, names = self.scope(dims)
            value = Read("f", True, 2, 2, rows, tuple(index_of(name) for name in names))
        block = None if len(scale.dims) == 2 else self.dims[scale.dims[-1]].derived
        size = None if block is None else int(block[2])
        rule = "pow2" if narrow.exact and scale.dtype == "f32" else scale.dtype
        values, scales = self.quantized(dims, names, value, narrow.dtype, rule, size)
        for memory, appended in ((narrow, values), (scale, scales)):
            self.body.append(Append(memory.name, appended.name))
            self.appended.add(memory.name)
            self.present.add(memory.name)
            self.names[memory.name] = memory
