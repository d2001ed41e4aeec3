"""Draws the dims and declarations of a random program; what the classes that draw statements build on."""

from __future__ import annotations

from random import Random

from random_programs.expressions import Expressions
from random_programs.extents import Scope, indices_alone, spelled_indices
from random_programs.program import Function, Loop, Statement
from random_programs.tree import (
    LIMITS,
    NARROW_FLOATS,
    NARROW_INTEGERS,
    PACKED,
    Argument,
    Call,
    Dim,
    Expr,
    Tensor,
    dtype_of,
    kind_of,
)

CONSTANTS = (2, 3, 4, 5, 8)
FLOATS = ("f32", "bf16", "f16", "fp8", "fp8e5m2", "fp4")
INTEGERS = ("i32", "i8", "u8", "i16", "i4", "u4", "i2", "u2")
ANY = ("f32", "f32", *FLOATS[1:], "i32", *NARROW_INTEGERS, "bool")
PLAIN_BOUND, PLAIN_BITS = 16, 4
"""What exact floats in memories stay within: each write is made to fit, so that steps can be called in any order."""


class Drawing:
    """A program that is being drawn.

    names: the tensors that can be read where the drawing stands. body: takes the statements. grows: what the step
    grows; appended: the memories that have their new rows. layered: the memories that the loop around uses layer by
    layer, and its index. guards: the indices of the conditions around, by dim; conditional: whether a `when` stands
    around. present: what has no absent element. kept: names that are not given another meaning.
    formulas: the functions that return an expression; arguments: the parameters of the one that is being drawn;
    function: whether one with statements is; results_present: which of the parameters and results of functions are
    present everywhere."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.dims: dict[str, Dim] = {}
        self.tensors: dict[str, Tensor] = {}
        self.names: dict[str, Tensor] = {}
        self.functions: list[Function] = []
        self.formulas: list[Call] = []
        self.arguments: list[Argument] = []
        self.results_present: set[str] = set()
        self.function = False
        self.body: list[Statement] = []
        self.grows: dict[str, int | str] = {}
        self.growing: dict[str, list[int | str]] = {}
        self.loops: list[Loop] = []
        self.layered: dict[str, str] = {}
        self.guards: dict[str, str] = {}
        self.present: set[str] = set()
        self.kept: set[str] = set()
        self.appended: set[str] = set()
        self.conditional = False
        self.counter = 0

    def fresh(self, prefix: str) -> str:
        self.counter += 1
        return f"{prefix}{self.counter}"

    def formula(self, kind: str, exact: bool) -> Call | None:
        """A function that returns an expression of that kind."""
        raise NotImplementedError

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def number(self, size: int) -> str:
        """The dim that stands for a number written in place."""
        self.dims[str(size)] = Dim(str(size), size=size)
        return str(size)

    @property
    def memories(self) -> list[Tensor]:
        return [tensor for tensor in self.tensors.values() if tensor.role == "memory"]

    def expressions(self) -> Expressions:
        return Expressions(self)

    def value(self, name: str, dims: tuple[str, ...], value: Expr) -> Tensor:
        """A name for a value, from here on."""
        tensor = Tensor(name, dims, dtype_of(value), "value", value.kind, value.exact, value.bound, value.step_bits)
        return self.known(tensor)

    def known(self, tensor: Tensor) -> Tensor:
        self.tensors[tensor.name] = self.names[tensor.name] = tensor
        return tensor

    def scope(self, dims: tuple[str, ...]) -> tuple[Scope, tuple[str, ...]]:
        """A scope with fresh indices over dims, and their names; the loops' numbers are in it, too."""
        names = tuple(self.fresh(dim.lower() if dim.isalpha() else "i") for dim in dims)
        return self.scope_of(dims, names), names

    def scope_of(self, dims: tuple[str, ...], names: tuple[str, ...]) -> Scope:
        rows = dict(zip(dims, names, strict=True))
        scope: Scope = {loop.index: (loop.count, None) for loop in self.loops if loop.index}
        for name, dim in zip(names, dims, strict=True):
            scope[name] = (dim, rows.get(self.dims[dim].per or ""))
        return scope

    def spelled(self, names: tuple[str, ...], value: Expr) -> tuple[str, ...]:
        return spelled_indices(names, indices_alone(value), "value")


class Declarations(Drawing):
    """Draws dims and declared tensors."""

    def draw_dims(self) -> None:
        dims = self.dims
        dims["B"] = Dim("B", bound=4)
        dims["T"] = Dim("T", bound=48, per="B", written=self.random.choice((0, 0, 2048)))
        for name in ("D", "E", "K"):
            dims[name] = Dim(name, size=self.random.choice(CONSTANTS))
        self.growing["T"] = [1, 1, 2]
        if self.chance(0.5):
            dims["N"] = Dim("N", bound=64, written=self.random.choice((0, 0, 8192)))
            self.growing["N"] = [1, 2, "M"]
            dims["M"] = Dim("M", bound=3)
            if self.chance(0.3):
                dims["Q"] = Dim("Q", bound=32, derived=("//", "N", 2))
        dims["G"] = Dim("G", size=2)
        if self.chance(0.3):
            dims["R"] = Dim("R", bound=6)
        if self.chance(0.15):
            dims["U"] = Dim("U", bound=5, per="B")
        if self.chance(0.3):
            dims["S"] = Dim("S", size=self.random.choice((2, 3, 4)))
        if self.chance(0.45):
            dims["L"] = Dim("L", size=self.random.choice((2, 3)))
        if self.chance(0.2):
            dims["V"] = Dim("V", bound=24, per="B")
        if self.chance(0.4):
            divisor = self.random.randint(2, 4)
            function = self.random.choice(("//", "ceildiv", "//", "ceildiv", "-", "min"))
            bound, operand = (24, divisor) if function in ("//", "ceildiv") else (48, divisor**2)
            dims["P"] = Dim("P", bound=bound, per="B", derived=(function, "T", operand))

    def declare(self) -> None:
        choose = self.random.choice
        self.tensor("x", ("B", "D"), "input", choose(("f32", "bf16", "f16", "fp8", "fp4")))
        self.tensor("y", choose([("E",), ("D", "E"), ("B", "E")]), "input", choose(("f32", "f32", *ANY)))
        self.tensor("w", choose([("D", "E"), ("E", "D"), ("D",)]), "weight", choose(("bf16", "f32", *ANY)))
        self.tensor("n", choose([("B", "E"), ("E",), ("D",)]), "input", choose(INTEGERS))
        pages = choose(("", "", "paged(2)", "paged(4)"))
        self.tensor("mem", ("B", "T", "D"), "memory", choose(FLOATS), layout=pages)
        if self.chance(0.5):
            self.tensor("tag", ("B", "T"), "memory", choose(("f32", "i32", "i8", "bool")))
        if "N" in self.dims:
            self.tensor("log", choose([("N", "D"), ("N",)]), "memory", choose(FLOATS))
            if self.chance(0.4):
                self.tensor("tf", ("E", "N"), "memory", "sparse u8")
        if self.chance(0.3):
            self.tensor("big", ("D",), choose(("input", "weight")), "i64")
        if self.chance(0.4):
            self._declare_wide()
        if self.chance(0.2):
            dims = choose([("E",), ("D",), ("B",), ("B", "D")])
            self.tensor("scaling", dims, "input" if "B" in dims else choose(("input", "weight")), "e8m0")
        if self.chance(0.3):
            self.tensor("flag", ("B", "D"), "input", "bool")
        if "R" in self.dims:
            self.tensor("z", choose([("R",), ("R", "D"), ("B", "R")]), "input", choose(ANY))
        if "U" in self.dims:
            self.tensor("u", ("B", "U"), "input", choose(ANY))
        if "V" in self.dims:
            pages = f"paged({choose((1, 2, 4))})"
            self.tensor("cache", ("B", "V", choose("DE")), "memory", choose(ANY), layout=pages)
            beside = choose(("planes(cache)", "record(cache)", pages))
            self.tensor("hint", choose([("B", "V"), ("B", "V", "E")]), "memory", choose(ANY), layout=beside)
        self._declare_updated()
        if "L" in self.dims:
            self._declare_layers()
        if "S" in self.dims:
            self.tensor(
                "bank", choose([("B", "S", "D"), ("S", "B"), ("S", "E"), ("S",)]), "memory", choose(ANY), ring=True
            )
            if self.chance(0.3):
                self.tensor("recent", choose([("S",), ("B", "S")]), "memory", choose(ANY), ring=True)
        if self.chance(0.3):
            self._declare_initial()
        if self.chance(0.25):
            self.known(Tensor("calls", (), "i32", "calls", "i", True, 64, 0))

    def _declare_wide(self) -> None:
        """Integers of any size, as ids are."""
        choose = self.random.choice
        dims = choose([("E",), ("D",), ("B", "E"), ("B", "D")])
        role = "input" if "B" in dims else choose(("input", "weight"))
        self.known(Tensor("ids", dims, "i32", role, "i", True, 2.0**31, 0, largest=2.0**31))
        if self.chance(0.4):
            dims = choose([("E",), ("D",), ("B", "E")])
            role = "input" if "B" in dims else choose(("input", "weight"))
            self.known(Tensor("far", dims, "i64", role, "l", True, 2.0**63, 0, largest=2.0**63))
        if self.chance(0.4):
            dims = choose([("B", "T"), ("B", "T"), ("B", "D")])
            self.known(Tensor("toks", dims, "i32", "memory", "i", True, 2.0**31, 0, largest=2.0**31))

    def _declare_initial(self) -> None:
        """A memory that begins with a number, and one that begins with another tensor's values."""
        dtype = self.random.choice(("f32", "bf16", "fp4", "i32", "i8", "u8", "i4", "u2"))
        number = self.random.choice((1, 2, 3)) if dtype in LIMITS else self.random.choice((-1.5, 0.5, 2.0))
        self.tensor("begin", self.random.choice([("D",), ("B", "E"), ()]), "memory", dtype, initial=number)
        plain = [item for item in self.tensors.values() if item.role in ("input", "weight") and item.kind in "fib"]
        source = self.random.choice([item for item in plain if set(item.dims) <= {"B", "D", "E", "L"}])
        dtypes = {"f": ("f32", "bf16", "fp8", "fp4"), "i": ("i32", "i16", "i8", "i4"), "b": ("bool",)}[source.kind]
        dims = list(source.dims)
        more = [dim for dim in ("B", "D", "E") if dim not in dims]
        if more and self.chance(0.4):
            dim = self.random.choice(more)
            dims.insert(0 if dim == "B" else self.random.randint(dims.count("B"), len(dims)), dim)
        self.tensor("copied", tuple(dims), "memory", self.random.choice(dtypes), initial=source.name)

    def _declare_layers(self) -> None:
        """Tensors with a layer for each pass of a loop."""
        choose = self.random.choice
        self.tensor("wl", ("L", *choose([("D", "E"), ("E", "D"), ("D",), ("E",)])), "weight", choose(ANY))
        if self.chance(0.3):
            self.tensor("xl", ("L", "B", "D"), "input", choose(ANY))
        if self.chance(0.5):
            self.tensor("ml", ("L", *choose([("B", "D"), ("E",), ("B",), ()])), "memory", choose(ANY))
        if self.chance(0.5):
            dims = choose([("L", "B", "T", "D"), ("L", "B", "T"), *[("L", "N", "E"), ("L", "N")] * ("N" in self.dims)])
            self.tensor("kl", dims, "memory", choose(ANY))

    def _declare_updated(self) -> None:
        """Memories whose elements are written, of any dtype."""
        choose = self.random.choice
        if self.chance(0.4):
            self.tensor("acc", choose([("D",), ("B", "D"), ()]), "memory", choose(("f32", "f32", "i32", "bf16", "f16")))
        if self.chance(0.35):
            self.tensor("st", choose([("B", "E"), ("E",)]), "memory", choose(("i32", "i32", "i64", *NARROW_INTEGERS)))
        if self.chance(0.2):
            self.tensor("cnt", choose([(), ("B",)]), "memory", choose(("i32", "u8", "i64")))
        if self.chance(0.2):
            self.tensor("bits", choose([("B",), ("B", "D"), ("E",)]), "memory", "bool")
        if self.chance(0.25):
            dtype = choose(("f32", "f32", *NARROW_FLOATS))
            self.tensor("ema", choose([("D",), ("B", "D"), ("B",)]), "memory", dtype, exact=False)

    def _lying(self, dtype: str, dims: tuple[str, ...], ring: bool) -> str:
        """The dtype, or a wider one where its rows would be no whole number of bytes that the program fixes."""
        constant = [bool(self.dims[dim].size) for dim in dims]
        apart = not dims or (constant[-1] and not (ring and constant.index(True) == len(dims) - 1))
        return dtype if apart else PACKED.get(dtype, dtype)

    def tensor(
        self, name: str, dims: tuple[str, ...], role: str, dtype: str, exact: bool = True, **more: object
    ) -> Tensor:
        """Declare a tensor. Inputs are drawn as multiples of 1/4 up to 2 (fp8e5m2 holds them), integers up to 7."""
        dtype = self._lying(dtype, dims, bool(more.get("ring")))
        kind = kind_of(dtype)
        largest = 7
        if dtype in NARROW_INTEGERS and self.chance(0.2):
            largest = min(LIMITS[dtype][1] + 1, 1000)
        bound, bits = {"i": (largest, 0), "l": (2**40, 0), "b": (1, 0)}.get(kind, (2, 2))
        if role == "memory":
            limit = min(LIMITS[dtype][1] + 1, 2**24) if dtype in LIMITS else 2**20
            plain = 2**14 if name.startswith("acc") else PLAIN_BOUND
            bound, bits = {"f": (plain, PLAIN_BITS), "i": (limit, 0)}.get(kind, (bound, bits))
        tensor = Tensor(name, dims, dtype, role, kind, exact, bound, bits, largest=largest, **more)  # type: ignore[arg-type]
        return self.known(tensor)
