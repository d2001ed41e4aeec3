"""Draws random well-typed programs: declarations, then statements that read what is there."""

from __future__ import annotations

from random import Random

from random_programs.expressions import Expressions, Scope
from random_programs.rewrite import parts_of
from random_programs.tree import (
    Append,
    Binary,
    Const,
    Define,
    Dim,
    DimValue,
    Expr,
    Program,
    Put,
    Quantize,
    Read,
    Reduce,
    Rope,
    Select,
    Softmax,
    Tensor,
    Topk,
    Unary,
    Var,
    Where,
)

CONSTANTS = (2, 3, 4, 5, 8)
FLOATS = ("f32", "bf16", "f16", "fp8", "fp8e5m2")
INTEGERS = ("i32", "i8", "u8", "i16")


_SPECIAL_DIMS = (("N",), ("N", "D"), ("B", "P"), ("B", "P"), ("Q",), ("B", "N"), ("B", "T", "N"))


def generate(seed: int, statements: int = 6) -> Program:
    """A program for this seed; the same seed gives the same program."""
    return _Generator(seed).program(statements)


class _Generator:
    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.built = Program(seed)
        self.counter = 0

    def fresh(self, prefix: str) -> str:
        self.counter += 1
        return f"{prefix}{self.counter}"

    def program(self, statements: int) -> Program:
        self._dims()
        self._declare()
        stages = ["prepare", "relevancy", "retrieve", "apply"]
        for memory in [item for item in self.built.declared if item.role == "memory"]:
            if memory.dtype.startswith("sparse"):
                self.built.statements.append(Append(memory.name, "terms", "prepare"))
            elif set(memory.dims) & set(self.built.grows):
                self._append(memory)
        updated = self.random.randrange(statements) if "acc" in self.built.tensors else -1
        for position in range(statements):
            stage = stages[min(3, position * 4 // statements)]
            if position == updated:
                self._update(self.built.tensors["acc"], stage)
            makes = [self._define, self._topk, self._select, self._softmax, self._rope, self._quantize, self._put]
            weights = [14, 4, 2, 2, 1, 1, 3 * ("st" in self.built.tensors)]
            self.random.choices(makes, weights)[0](stage)
        values = [tensor.name for tensor in self.built.tensors.values() if tensor.role == "value"]
        used = {name for name in values if name.startswith("r")}
        outputs = [name for name in values if name not in used]
        self.built.outputs = (outputs[-4:] or values[-1:]) + ["acc"] * (updated >= 0 and self.random.random() < 0.5)
        return self.built

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

    def _append(self, memory: Tensor) -> None:
        """A row of exact values (a narrow type rounds the same on every backend only then), then the append."""
        dims = self._rows_dims(memory.dims)
        kind = memory.kind
        for _ in range(60):
            scope, names = self._scope(dims)
            value = as_i32(self._expressions().of_kind(kind, scope, 2, exact=True, avoid=self._memories()))
            if value.exact and value.bound <= (100 if kind == "f" else 2**20) and value.step_bits <= 6:
                break
        else:
            return
        spelled = self._spelled(names, dims, value)
        tensor = self._value(self.fresh("r"), dims, value)
        self.built.statements.append(Define(tensor, names, value, spelled, "prepare"))
        self.built.statements.append(Append(memory.name, tensor.name, "prepare"))
        step_bits = max(value.step_bits, 2) if kind == "f" else 0
        bound = max(value.bound, memory.bound)
        self.built.tensors[memory.name] = Tensor(
            memory.name, memory.dims, memory.dtype, "memory", kind, True, bound, step_bits
        )

    def _update(self, memory: Tensor, stage: str) -> None:
        """A whole memory is written, often from its old value. Three calls keep the bound that it is declared with."""
        for _ in range(60):
            scope, names = self._scope(memory.dims)
            value = as_i32(self._expressions().of_kind(memory.kind, scope, 2, exact=True, avoid=frozenset({"acc"})))
            if value.exact and value.bound <= 100 and value.step_bits <= 6 and value.kind == memory.kind:
                break
        else:
            return
        if self.random.random() < 0.7:
            places = tuple(Var("x", True, 64, 0, name) for name in names)
            old = Read(memory.kind, True, memory.bound, memory.step_bits, memory.name, places)
            value = Binary(memory.kind, True, memory.bound, memory.step_bits, "+", old, value)
            value = as_i32(value)
        self.built.statements.append(Define(memory, names, value, (), stage))

    def _put(self, stage: str) -> None:
        """Values put at computed places of an integer memory: some collide, some fall outside."""
        memory = self.built.tensors["st"]
        for _ in range(60):
            dims = ("B", self.random.choice(("D", "E")))
            scope, names = self._scope(dims)
            place = as_i32(self._expressions().of_kind("i", scope, 1))
            value = as_i32(self._expressions().of_kind("i", scope, self.random.randint(1, 3)))
            mentioned = {part.name for part in parts_of(place) if isinstance(part, Var)}
            alone = indices_alone(place) | indices_alone(value)
            if names[-1] not in alone or names[-1] not in mentioned or value.bound > 2**20:
                continue
            adds = self.random.random() < 0.5
            self.built.statements.append(Put("st", names, dims, place, value, adds, stage))
            bound = min(2**27, memory.bound + 64 * value.bound if adds else max(memory.bound, value.bound))
            self.built.tensors["st"] = Tensor("st", memory.dims, "i32", "memory", "i", True, bound, 0)
            return

    def _memories(self) -> frozenset[str]:
        return frozenset(tensor.name for tensor in self.built.declared if tensor.role == "memory")

    def _scope(self, dims: tuple[str, ...]) -> tuple[Scope, tuple[str, ...]]:
        names = tuple(self.fresh(dim.lower()) for dim in dims)
        rows = dict(zip(dims, names, strict=True))
        scope = {name: (dim, rows.get(self.built.dims[dim].per or "")) for name, dim in zip(names, dims, strict=True)}
        return scope, names

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
            if value.bound > largest or value.kind != kind or not _uses_tensor(value):
                continue
            spelled = self._spelled(names, dims, value)
            tensor = self._value(self.fresh("s"), dims, value)
            self.built.statements.append(Define(tensor, names, value, spelled, stage))
            return

    def _spelled(self, names: tuple[str, ...], dims: tuple[str, ...], value: Expr) -> tuple[str, ...]:
        return spelled_indices(names, indices_alone(value), "value")

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

    def _scope_of(self, dims: tuple[str, ...], names: tuple[str, ...]) -> Scope:
        rows = dict(zip(dims, names, strict=True))
        return {name: (dim, rows.get(self.built.dims[dim].per or "")) for name, dim in zip(names, dims, strict=True)}

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
        if fits and value.bound <= 60 and all(name in alone for name in names) and _is_total(value, scope, self.built):
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


def spelled_indices(names: tuple[str, ...], alone: frozenset[str], role: str) -> tuple[str, ...]:
    """The indices whose extent the left side must say; a memory's are its own."""
    return () if role == "memory" else tuple(name for name in names if name not in alone)


def _is_total(value: Expr, scope: Scope, program: Program) -> bool:
    """Whether every read is of declared tensors by indices of its own dims."""
    match value:
        case Read():
            pairs = zip(program.tensors[value.tensor].dims, value.indices, strict=True)
            plain = all(isinstance(index, Var) and scope.get(index.name, ("",))[0] == dim for dim, index in pairs)
            return plain and program.tensors[value.tensor].role in ("input", "weight", "memory")
        case Const():
            return True
        case Unary():
            return _is_total(value.operand, scope, program)
        case Binary():
            return _is_total(value.left, scope, program) and _is_total(value.right, scope, program)
    return False


def as_i32(value: Expr) -> Expr:
    """Arithmetic on positions gives positions: an integer result says that it is a number."""
    return Unary("i", True, value.bound, 0, "i32", value) if value.kind == "i" else value


def indices_alone(expr: Expr) -> frozenset[str]:
    """The indices that stand alone in some read: the language takes their extent from there."""
    match expr:
        case Read():
            plain = frozenset(index.name for index in expr.indices if isinstance(index, Var))
            return plain.union(*(indices_alone(index) for index in expr.indices))
        case Unary():
            return indices_alone(expr.operand)
        case Binary():
            return indices_alone(expr.left) | indices_alone(expr.right)
        case Where():
            parts = [expr.condition, expr.value] + ([expr.otherwise] if expr.otherwise else [])
            return frozenset().union(*map(indices_alone, parts))
        case Reduce():
            return indices_alone(expr.body)
    return frozenset()


def _uses_tensor(expr: Expr) -> bool:
    match expr:
        case Read():
            return True
        case Unary():
            return _uses_tensor(expr.operand)
        case Binary():
            return _uses_tensor(expr.left) or _uses_tensor(expr.right)
        case Where():
            return _uses_tensor(expr.value)
        case Reduce():
            return _uses_tensor(expr.body)
    return False
