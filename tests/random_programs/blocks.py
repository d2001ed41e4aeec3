"""Draws blocks: conditions around writes of memories."""

from __future__ import annotations

from random_programs.extents import indices_alone
from random_programs.program import When
from random_programs.writes import Writes


class Blocks(Writes):
    """Statements in blocks."""

    def when(self) -> bool:
        """`when` with a condition for all, or one for each row (or each element along another dim)."""
        for _ in range(20):
            dims = () if self.chance(0.5) else self.random.choice((("B",), ("B",), ("B",), ("D",), ("E",)))
            if set(dims) & set(self.guards):
                dims = ()
            names = self._indices(dims)
            condition = self.expressions().of_kind("b", self.scope_of(dims, names), 2)
            if set(names) <= indices_alone(condition):
                return self._when(When(condition, names, dims, ()))
        return False

    def _when(self, block: When) -> bool:
        """The block with statements in it; names that it defines, and other meanings of names, end with it."""
        outer, names, present = self.body, dict(self.names), set(self.present)
        guards, conditional = dict(self.guards), self.conditional
        self.guards |= dict(zip(block.dims, block.indices, strict=True))
        self.body, self.conditional = [], True
        written = self._written_inside()
        inside = tuple(self.body)
        self.body, self.guards, self.conditional = outer, guards, conditional
        memories = {memory.name for memory in self.memories}
        self.present = (self.present & memories) | (present - memories)
        self.names = names
        self.tensors.update({name: tensor for name, tensor in names.items() if name in self.tensors})
        if written:
            self.body.append(When(block.condition, block.indices, block.dims, inside))
        return written

    def _written_inside(self) -> bool:
        """Statements of a block that writes memories."""
        written = False
        for _ in range(self.random.randint(1, 3)):
            choice = self.random.random()
            if choice < 0.25:
                self.define()
            elif choice < 0.35:
                written |= self.when()
            elif choice < 0.5:
                written |= self.clear() or self.append_to_ring()
            else:
                written |= self.update()
        return written or self.update()
