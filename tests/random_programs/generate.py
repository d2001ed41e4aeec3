"""Draws random well-typed programs: declarations, then statements that read what is there."""

from __future__ import annotations

from random import Random

from random_programs.expressions import Expressions, Scope
from random_programs.tree import (
    Append,
    Binary,
    Define,
    Dim,
    Expr,
    Program,
    Read,
    Reduce,
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
            self._append(memory)
        for position in range(statements):
            stage = stages[min(3, position * 4 // statements)]
            make = self.random.choices([self._define, self._topk, self._softmax], [7, 2, 1])[0]
            make(stage)
        values = [tensor.name for tensor in self.built.tensors.values() if tensor.role == "value"]
        used = {name for name in values if name.startswith("r")}
        outputs = [name for name in values if name not in used]
        self.built.outputs = outputs[-4:] or values[-1:]
        return self.built

    def _dims(self) -> None:
        dims = self.built.dims
        dims["B"] = Dim("B", bound=4)
        dims["T"] = Dim("T", bound=48, per="B")
        for name in ("D", "E", "K"):
            dims[name] = Dim(name, size=self.random.choice(CONSTANTS))
        self.built.grows["T"] = 1

    def _declare(self) -> None:
        self._tensor("x", ("B", "D"), "input", self.random.choice(("f32", "bf16", "f16")))
        self._tensor("y", self.random.choice([("E",), ("D", "E"), ("B", "E")]), "input", "f32")
        self._tensor("w", self.random.choice([("D", "E"), ("E", "D"), ("D",)]), "weight", "bf16")
        self._tensor("n", self.random.choice([("B", "E"), ("E",), ("D",)]), "input", self.random.choice(INTEGERS))
        self._tensor("mem", ("B", "T", "D"), "memory", self.random.choice(FLOATS))
        if self.random.random() < 0.5:
            self._tensor("tag", ("B", "T"), "memory", self.random.choice(("f32", "i32", "i8")))

    def _tensor(self, name: str, dims: tuple[str, ...], role: str, dtype: str) -> Tensor:
        kind = "i" if dtype in INTEGERS else "f"
        # Inputs are drawn as multiples of 1/4 up to 2 (fp8e5m2 holds them), integers up to 7.
        tensor = Tensor(name, dims, dtype, role, kind, True, 7 if kind == "i" else 2, 0 if kind == "i" else 2)
        self.built.tensors[name] = tensor
        return tensor

    def _value(self, name: str, dims: tuple[str, ...], value: Expr) -> Tensor:
        dtype = {"f": "f32", "i": "i32", "x": "index", "b": "bool"}[value.kind]
        tensor = Tensor(name, dims, dtype, "value", value.kind, value.exact, value.bound, value.step_bits)
        self.built.tensors[name] = tensor
        return tensor

    def _expressions(self) -> Expressions:
        return Expressions(self.random, self.built, self.fresh)

    def _append(self, memory: Tensor) -> None:
        """A row of exact values (a narrow type rounds the same on every backend only then), then the append."""
        dims = tuple(dim for dim in memory.dims if dim not in self.built.grows)
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
        )

    def _define(self, stage: str) -> None:
        for _ in range(60):
            dims = self._free_dims()
            scope, names = self._scope(dims)
            kind = self.random.choices("fib", [7, 2, 1])[0]
            value = as_i32(self._expressions().of_kind(kind, scope, self.random.randint(2, 4)))
            if value.bound > (1e6 if kind == "f" else 2**28) or not _uses_tensor(value):
                continue
            spelled = self._spelled(names, dims, value)
            if spelled is not None:
                tensor = self._value(self.fresh("s"), dims, value)
                self.built.statements.append(Define(tensor, names, value, spelled, stage))
                return

    def _spelled(self, names: tuple[str, ...], dims: tuple[str, ...], value: Expr) -> tuple[str, ...] | None:
        """The indices whose extent the left side must say; None where that cannot be said (a dim with rows)."""
        alone = indices_alone(value)
        missing = tuple(name for name in names if name not in alone)
        for name, dim in zip(names, dims, strict=True):
            if name in missing and self.built.dims[dim].per is not None:
                return None
        return missing

    def _topk(self, stage: str) -> None:
        for _ in range(60):
            dim, free = self.random.choice([("T", ("B",)), ("T", ("B",)), ("D", ("B",)), ("E", ())])
            scope, names = self._scope((*free, dim))
            value = self._expressions().of_kind("f", scope, self.random.randint(1, 3), exact=True)
            if not value.exact or names[-1] not in indices_alone(value) or value.bound > 1e6:
                continue
            if any(name not in indices_alone(value) for name in names):
                continue
            slots = (*free, "K")
            scores = self._value(self.fresh("best"), slots, value)
            scores = Tensor(scores.name, slots, "f32", "value", "f", False, value.bound, 24)
            self.built.tensors[scores.name] = scores
            picked = Tensor(self.fresh("picked"), slots, "index", "value", "x", True, 64, 0)
            self.built.tensors[picked.name] = picked
            row = names[0] if self.built.dims[dim].per else None
            order = self.random.choice(("score", "index"))
            self.built.statements.append(
                Topk(scores, picked, names[:-1], self.fresh("k"), names[-1], dim, row, value, "K", order, stage)
            )
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
