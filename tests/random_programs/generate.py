"""Draws random well-typed programs: declarations, then statements that read what is there."""

from __future__ import annotations

from random_programs.statements import Statements
from random_programs.tree import (
    Append,
    Program,
)
from random_programs.writes import Writes


def generate(seed: int, statements: int = 6) -> Program:
    """A program for this seed; the same seed gives the same program."""
    return _Generator(seed).program(statements)


class _Generator(Writes, Statements):
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
        self.built.outputs += ["st"] * ("st" in self.built.tensors and self.random.random() < 0.5)
        return self.built
