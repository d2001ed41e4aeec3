"""Draws what writes memories: appends, updates of a whole memory, values put at places, rings, clears."""

from __future__ import annotations

from random_programs.expression_parts import fitted
from random_programs.extents import as_i32, indices_alone, uses_tensor
from random_programs.numeric_statements import NumericStatements
from random_programs.positions import WIDE, index_of
from random_programs.program import Append, Clear, Define, Put
from random_programs.rewrite import parts_of
from random_programs.tree import Binary, Expr, Read, Tensor, Unary, Var


class Writes(NumericStatements):
    """Statements that write memories."""

    # Appends

    def rows_dims(self, memory: Tensor) -> tuple[str, ...]:
        """The extents of what is appended: the growth's dim in place of the growing one, none for a single row."""
        names: dict[object, tuple[str, ...]] = {1: (), 2: ("G",)}
        found: list[str] = []
        for dim in memory.dims:
            by = self.grows.get(dim)
            found += (dim,) if by is None else names.get(by, (str(by),))
        return tuple(found)

    def append(self, memory: Tensor) -> None:
        """Rows that fit the memory, and the append; in a loop over a memory's layers, to the layer."""
        layer = self.layered.get(memory.name, "")
        dims = self.rows_dims(memory)[1 if layer else 0 :]
        rows = self._rows(memory, dims)
        self.body.append(Append(memory.name, rows, layer))
        self.present.add(memory.name)
        self.appended.add(memory.name)
        self.names[memory.name] = memory

    def _rows(self, memory: Tensor, dims: tuple[str, ...]) -> str:
        if memory.dtype.startswith("sparse"):
            return self._columns(memory)
        ready = [tensor.name for tensor in self.names.values() if tensor.dims == dims and self._fits(tensor, memory)]
        if ready and self.chance(0.25):
            return self.random.choice(ready)
        scope, names = self.scope(dims)
        for _ in range(20):
            value = self.fitting(memory, self.expressions().of_kind(memory.kind, scope, 2, exact=memory.exact))
            if dims or uses_tensor(value):  # else it is a number, which has no rows
                break
        return self.defined(self.fresh("r"), dims, names, value).name

    def _columns(self, memory: Tensor) -> str:
        """An input of row numbers, a list for each new column."""
        name = f"terms{self.grows[memory.dims[1]]}"
        if name not in self.tensors:
            self.tensor(name, (*self.rows_dims(memory)[1:], "K"), "input", "i32")
        return name

    def _fits(self, tensor: Tensor, memory: Tensor) -> bool:
        """Whether a tensor is one of rows for a memory as it is."""
        within = tensor.bound <= memory.bound and tensor.step_bits <= memory.step_bits
        exact = tensor.exact or not memory.exact
        plain = not tensor.name.startswith("any") and not tensor.scores and tensor.role in ("input", "weight", "value")
        return plain and tensor.kind == memory.kind and within and exact

    def fitting(self, memory: Tensor, value: Expr) -> Expr:
        """A value that keeps what is known of a memory's elements."""
        bound = memory.bound if memory.kind == "f" or memory.dtype == "i32" else 2**30
        kept = value if memory.kind in "bl" or memory.bound >= WIDE else fitted(value, bound, memory.step_bits)
        return as_i32(kept)

    # Updates

    def updatable(self) -> list[Tensor]:
        """Memories whose elements can be written here."""
        return [
            memory
            for memory in self.memories
            if not memory.ring
            and memory.kind != "q"
            and not memory.dtype.startswith("sparse")
            and (memory.name in self.appended or not set(memory.dims) & set(self.grows))
            and set(self.guards) <= set(memory.dims)
            and memory.name in self.names
        ]

    def update(self) -> bool:
        """One of the memories is written, whole or in part."""
        memories = self.updatable()
        if not memories:
            return False
        memory = self.random.choice(memories)
        whole = self.whole if self.chance(0.4) else self.put
        return whole(memory)

    def _indices(self, dims: tuple[str, ...]) -> tuple[str, ...]:
        """Names of indices over dims; those of the conditions around are theirs."""
        return tuple(self.guards.get(dim) or self.fresh(dim.lower() if dim.isalpha() else "i") for dim in dims)

    def whole(self, memory: Tensor) -> bool:
        """All elements are written, often from their old values."""
        layer = self.layered.get(memory.name, "")
        dims = memory.dims[1:] if layer else memory.dims
        if layer and memory.dims[0] in self.guards:
            return False
        names = self._indices(dims)
        scope = self.scope_of(dims, names)
        value = self._value(memory, scope, 2)
        if value is None:
            return False
        if memory.kind in "fi" and self.chance(0.6):
            places = tuple(index_of(name) for name in ((layer, *names) if layer else names))
            old = Read(memory.kind, memory.exact, memory.bound, memory.step_bits, memory.name, places)
            bound, bits = memory.bound + value.bound, max(memory.step_bits, value.step_bits)
            value = self.fitting(memory, Binary(memory.kind, memory.exact, bound, bits, "+", old, value))
        self.body.append(Define(memory, names, value, (), layer))
        self._note(memory)
        return True

    def _value(self, memory: Tensor, scope: dict[str, tuple[str, str | None]], depth: int) -> Expr | None:
        value = self.expressions().of_kind(memory.kind, scope, depth, exact=memory.exact)
        if value.kind != memory.kind and not (memory.kind == "i" and value.kind == "x"):
            return None
        if value.bound > (2**60 if memory.kind == "l" else 2**30):
            return None
        return self.fitting(memory, value)

    def _note(self, memory: Tensor) -> None:
        self.present.add(memory.name)
        self.names[memory.name] = memory

    def put(self, memory: Tensor) -> bool:
        """Values put at places: some computed, some bounded; some collide, some fall outside."""
        for _ in range(20):
            drawn = self._places(memory)
            if drawn is None:
                continue
            places, names, dims, bounded = drawn
            value = self._value(memory, self.scope_of(dims, names), self.random.randint(1, 2))
            if value is None:
                continue
            alone = indices_alone(value).union(*map(indices_alone, places))
            free = [place.name for place in places if isinstance(place, Var)]
            if any(name not in alone and name not in free for name in names):
                continue
            operator, value = self._operator(memory, value)
            if operator[0] not in "+-" and len(free) == len(places) and not bounded and not self._is_part(memory):
                continue  # that defines the memory anew
            self.body.append(Put(memory.name, names, dims, places, value, operator, bounded))
            self._note(memory)
            return True
        return False

    def _is_part(self, memory: Tensor) -> bool:
        """Whether a write of all elements leaves others as they are."""
        return self.conditional or bool(set(memory.dims) & set(self.grows))

    def _places(
        self, memory: Tensor
    ) -> tuple[tuple[Expr, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]] | None:
        """Places, and the indices in the order in which they first stand on the left, their dims, and bounded ones."""
        layer = self.layered.get(memory.name, "")
        computed = self.random.randrange(len(memory.dims) + 1) if memory.dims else 0
        places: list[Expr] = []
        found: dict[str, str] = {}
        bounded = []
        for position, dim in enumerate(memory.dims):
            known = self.dims[dim]
            if layer and not position:
                places.append(index_of(layer))
            elif position == computed and dim not in self.guards and not self._has_rows(memory, dim):
                place = self._computed(memory, found)
                if place is None:
                    return None
                places.append(place)
            elif known.size and known.size > 2 and dim not in self.guards and self.chance(0.2):
                name = self.fresh("i")
                found[name] = self.number(2)
                bounded.append(name)
                places.append(index_of(name))
            else:
                (name,) = self._indices((dim,))
                found[name] = dim
                places.append(index_of(name))
        missing = [dim for dim in self.guards if self.guards[dim] not in found]
        return None if missing else (tuple(places), tuple(found), tuple(found.values()), tuple(bounded))

    def _has_rows(self, memory: Tensor, dim: str) -> bool:
        """Whether another dim of the memory has one length for each of this one."""
        return any(self.dims[other].per == dim for other in memory.dims)

    def _computed(self, memory: Tensor, found: dict[str, str]) -> Expr | None:
        """A place that is computed, often from an index of its own, which is then noted in `found`."""
        dim = self.random.choice(("D", "E", self.number(2)))
        name = self.fresh("i" if dim.isdigit() else dim.lower())
        scope = self.scope_of((*found.values(), dim), (*found, name))
        drawn = self.expressions().of_kind("i", scope, 1)
        place: Expr = as_i32(drawn)
        mentioned = {part.name for part in parts_of(place) if isinstance(part, Var)}
        if isinstance(place, Var):  # alone it would be an index of the place
            place = Binary("x", True, 64, 0, "+", place, self.expressions().one("x"))
        if name in mentioned:
            if dim.isdigit():
                return None
            found[name] = dim
        return place

    def _operator(self, memory: Tensor, value: Expr) -> tuple[str, Expr]:
        """What a put does to the old elements."""
        if memory.kind == "b" or not self.chance(0.5):
            return "=", value
        if memory.dtype == "i32":  # the numbers of writes and calls keep within its bound
            return self.random.choice(("+=", "-=")), as_i32(fitted(value, 2**10, 0))
        if memory.kind in "il":
            return self.random.choice(("+=", "-=", "*=")), value
        if memory.name.startswith("acc"):
            return self.random.choice(("+=", "-=")), fitted(value, 4, memory.step_bits)
        if memory.exact:
            return "=", value
        small = fitted(value, 1, memory.step_bits)
        if self.chance(0.5):
            return "*=", small
        size = Unary("f", False, small.bound, 24, "abs", small)
        return "/=", Binary("f", False, small.bound + 1, 24, "+", size, self.expressions().one("f"))

    # Rings and clears

    def append_to_ring(self) -> bool:
        rings = [memory for memory in self.memories if memory.ring]
        if not rings or self.guards:
            return False
        ring = self.random.choice(rings)
        slots = next(dim for dim in ring.dims if self.dims[dim].size)
        at = ring.dims.index(slots)
        dims = (*ring.dims[:at], *ring.dims[at + 1 :])
        self.body.append(Append(ring.name, self._rows(ring, dims)))
        return True

    def clear(self) -> bool:
        """Dims that the step does not grow, or under a condition; rings anywhere."""
        choices = [memory.name for memory in self.memories if memory.ring and not self.guards]
        if not self.loops:
            choices += [
                dim
                for dim in self.growing
                if set(self.guards) <= ({self.dims[dim].per} - {None}) and (dim not in self.grows or self.conditional)
            ]
        if not choices:
            return False
        self.body.append(Clear(self.random.choice(choices)))
        return True
