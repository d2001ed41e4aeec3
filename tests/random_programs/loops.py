"""Draws loops: what they carry from pass to pass, layers of weights, inputs and memories, loops in loops."""

from __future__ import annotations

from random_programs.blocks import Blocks
from random_programs.expression_parts import fitted
from random_programs.extents import as_i32, is_total
from random_programs.program import Define, Loop
from random_programs.tree import Expr, Tensor, Unary, dtype_of


class Loops(Blocks):
    """Statements in loops."""

    def loop(self) -> bool:
        """A loop of two or three passes."""
        layers = "L" in self.dims and self.chance(0.6)
        count = "L" if layers else self.number(self.random.choice((2, 3)))
        index = self.fresh("l") if layers or self.chance(0.6) else ""
        return self.loop_of(index, count, [], self._by_layers(0.7) if layers else [])

    def loop_over_layers(self, appended: list[Tensor]) -> None:
        """The loop that appends to each layer of memories."""
        self.loop_of(self.fresh("l"), "L", appended, self._by_layers(0.5))

    def _by_layers(self, probability: float) -> list[str]:
        """Some of the memories that a loop can write layer by layer; none that a loop around does."""
        names = [memory.name for memory in self.updatable() if memory.dims[:1] == ("L",)]
        return [name for name in names if name not in self.layered and self.chance(probability)]

    def loop_of(self, index: str, count: str, appended: list[Tensor], layered: list[str]) -> bool:
        """The loop, with an append to the layers of some memories; others are used by layers alone."""
        carried = [tensor for tensor in self.names.values() if self._can_carry(tensor)]
        carried = self.random.sample(carried, min(len(carried), self.random.choice((0, 1, 1, 2))))
        outer, names, kept, layers = self.body, dict(self.names), set(self.kept), dict(self.layered)
        present = set(self.present)
        self.body = []
        self.loops.append(Loop(index, count, ()))
        self.layered |= dict.fromkeys([*layered, *(memory.name for memory in appended)], index)
        self.kept |= {tensor.name for tensor in carried}
        makes = [lambda tensor=tensor: self._carry(tensor) for tensor in carried]
        makes += [lambda memory=memory: self.append(memory) for memory in appended]
        makes += [lambda name=name: self._write(self.tensors[name]) for name in layered]
        makes += [self._inner for _ in range(self.random.randint(1, 2))]
        self.random.shuffle(makes)
        for make in makes:
            make()
        inside = tuple(self.body)
        self.body, self.layered, self.kept = outer, layers, kept
        self.loops.pop()
        self.names = names | {memory.name: memory for memory in appended}
        self.tensors.update({name: tensor for name, tensor in names.items() if name in self.tensors})
        memories = {memory.name for memory in self.memories}
        stored = {tensor.name for tensor in carried} | set(layered)
        self.present = (self.present & memories) | (present - memories) | stored
        if inside:
            self.body.append(Loop(index, count, inside))
        return bool(inside)

    def _can_carry(self, tensor: Tensor) -> bool:
        order = tensor.name.startswith("any") or tensor.scores
        rows = set(tensor.dims) <= set(self.dims)
        return tensor.role == "value" and not order and rows and tensor.kind in "fibx" and tensor.bound >= 1

    def _inner(self) -> None:
        """Something else that the loop does."""
        choice = self.random.random()
        if choice < 0.35:
            self.define()
        elif choice < 0.7:
            self.update()
        elif choice < 0.8:
            self.when()
        elif choice < 0.9:
            self.append_to_ring() or self.update()
        elif len(self.loops) < 2:
            self.loop()

    def _write(self, memory: Tensor) -> None:
        if not set(self.guards) & {"L"}:
            self.random.choice((self.whole, self.put))(memory)

    def _carry(self, tensor: Tensor) -> None:
        """A name from before the loop gets a new value, often from its old one."""
        for _ in range(40):
            scope, names = self.scope(tensor.dims)
            value = self._next(tensor, scope)
            if value is None or dtype_of(value) != tensor.dtype:
                continue
            total = is_total(value, scope, self.tensors, self.present)
            self.body.append(Define(tensor, names, value, self.spelled(names, value)))
            self.names[tensor.name] = tensor
            self.present -= {tensor.name}
            self.present |= {tensor.name} if total else set()
            return

    def _next(self, tensor: Tensor, scope: dict[str, tuple[str, str | None]]) -> Expr | None:
        expressions = self.expressions()
        if tensor.kind == "x":
            return expressions.position_value(scope)
        value = expressions.of_kind(tensor.kind, scope, self.random.randint(1, 3), exact=tensor.exact)
        if value.kind != tensor.kind or value.bound > 2**30:
            return None
        if tensor.kind == "b":
            return value
        value = fitted(value, tensor.bound, tensor.step_bits)
        if tensor.kind == "i" and tensor.dtype == "i32":
            return as_i32(value)
        plain = dtype_of(value) == tensor.dtype
        return value if plain else Unary(value.kind, value.exact, value.bound, value.step_bits, tensor.dtype, value)
