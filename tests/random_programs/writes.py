"""Draws what writes memories: appends, updates of a whole memory, values put at computed places."""

from __future__ import annotations

from random_programs.declarations import Declarations
from random_programs.extents import as_i32, indices_alone
from random_programs.rewrite import parts_of
from random_programs.tree import (
    Append,
    Binary,
    Define,
    Put,
    Read,
    Tensor,
    Var,
)


class Writes(Declarations):
    """Statements that write memories."""

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
