"""Draws the dims and declarations of a random program; what the classes that draw statements build on."""

from __future__ import annotations

from random import Random

from random_programs.expressions import Expressions
from random_programs.extents import Scope, indices_alone, spelled_indices
from random_programs.tree import (
    Dim,
    Expr,
    Program,
    Tensor,
)

CONSTANTS = (2, 3, 4, 5, 8)
FLOATS = ("f32", "bf16", "f16", "fp8", "fp8e5m2")
INTEGERS = ("i32", "i8", "u8", "i16")


class Declarations:
    """A program that is being drawn."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.built = Program(seed)
        self.counter = 0

    def fresh(self, prefix: str) -> str:
        self.counter += 1
        return f"{prefix}{self.counter}"

    def _dims(self) -> None:
        dims = self.built.dims
        dims["B"] = Dim("B", bound=4)
        dims["T"] = Dim("T", bound=48, per="B")
        for name in ("D", "E", "K"):
            dims[name] = Dim(name, size=self.random.choice(CONSTANTS))
        self.built.grows["T"] = self.random.choice((1, 1, 2))
        if self.random.random() < 0.5:
            dims["N"] = Dim("N", bound=64)
            self.built.grows["N"] = self.random.choice((1, 2, "M"))
            if self.built.grows["N"] == "M":
                dims["M"] = Dim("M", bound=3)
            if self.random.random() < 0.3:
                dims["Q"] = Dim("Q", bound=32, derived=("//", "N", 2))
        if 2 in self.built.grows.values():
            dims["G"] = Dim("G", size=2)
        if self.random.random() < 0.4:
            divisor = self.random.randint(2, 4)
            dims["P"] = Dim("P", bound=24, per="B", derived=(self.random.choice(("//", "ceildiv")), "T", divisor))

    def _declare(self) -> None:
        self._tensor("x", ("B", "D"), "input", self.random.choice(("f32", "bf16", "f16")))
        self._tensor("y", self.random.choice([("E",), ("D", "E"), ("B", "E")]), "input", "f32")
        self._tensor("w", self.random.choice([("D", "E"), ("E", "D"), ("D",)]), "weight", "bf16")
        self._tensor("n", self.random.choice([("B", "E"), ("E",), ("D",)]), "input", self.random.choice(INTEGERS))
        self._tensor("mem", ("B", "T", "D"), "memory", self.random.choice(FLOATS))
        if self.random.random() < 0.5:
            self._tensor("tag", ("B", "T"), "memory", self.random.choice(("f32", "i32", "i8", "bool")))
        if "N" in self.built.dims:
            self._tensor("log", self.random.choice([("N", "D"), ("N",)]), "memory", self.random.choice(FLOATS))
            if self.random.random() < 0.5:
                rows = self._rows_dims(("N",))
                self._tensor("terms", (*rows, "K"), "input", "i32")
                self._tensor("tf", ("E", "N"), "memory", "sparse u8")
        if self.random.random() < 0.3:
            self._tensor("acc", self.random.choice([("D",), ("B", "D")]), "memory", self.random.choice(("f32", "i32")))
        if self.random.random() < 0.3:
            self._tensor("st", ("B", "E"), "memory", "i32")
        if self.random.random() < 0.3:
            self._tensor("big", ("D",), self.random.choice(("input", "weight")), "i64")
        if self.random.random() < 0.3:
            self._tensor("flag", ("B", "D"), "input", "bool")

    def _rows_dims(self, dims: tuple[str, ...]) -> tuple[str, ...]:
        """The extents of what is appended: the growth's dim in place of the growing one, none for a single row."""
        names = {1: (), 2: ("G",), "M": ("M",)}
        found: list[str] = []
        for dim in dims:
            found += names[self.built.grows[dim]] if dim in self.built.grows else (dim,)
        return tuple(found)

    def _tensor(self, name: str, dims: tuple[str, ...], role: str, dtype: str) -> Tensor:
        kind = {"bool": "b", "i64": "l", "sparse u8": "i"}.get(dtype) or ("i" if dtype in INTEGERS else "f")
        if kind == "l":
            self.built.tensors[name] = Tensor(name, dims, dtype, role, kind, True, 2**40, 0)
            return self.built.tensors[name]
        # Inputs are drawn as multiples of 1/4 up to 2 (fp8e5m2 holds them), integers up to 7.
        bound = 600 if name == "acc" else 7 if kind == "i" else 2
        bits = 0 if kind in "ib" else 6 if name == "acc" else 2
        tensor = Tensor(name, dims, dtype, role, kind, True, bound, bits)
        self.built.tensors[name] = tensor
        return tensor

    def _value(self, name: str, dims: tuple[str, ...], value: Expr) -> Tensor:
        dtype = {"f": "f32", "i": "i32", "l": "i64", "x": "index", "b": "bool"}[value.kind]
        tensor = Tensor(name, dims, dtype, "value", value.kind, value.exact, value.bound, value.step_bits)
        self.built.tensors[name] = tensor
        return tensor

    def _expressions(self) -> Expressions:
        return Expressions(self.random, self.built, self.fresh)

    def _scope(self, dims: tuple[str, ...]) -> tuple[Scope, tuple[str, ...]]:
        names = tuple(self.fresh(dim.lower()) for dim in dims)
        rows = dict(zip(dims, names, strict=True))
        scope = {name: (dim, rows.get(self.built.dims[dim].per or "")) for name, dim in zip(names, dims, strict=True)}
        return scope, names

    def _scope_of(self, dims: tuple[str, ...], names: tuple[str, ...]) -> Scope:
        rows = dict(zip(dims, names, strict=True))
        return {name: (dim, rows.get(self.built.dims[dim].per or "")) for name, dim in zip(names, dims, strict=True)}

    def _spelled(self, names: tuple[str, ...], dims: tuple[str, ...], value: Expr) -> tuple[str, ...]:
        return spelled_indices(names, indices_alone(value), "value")
