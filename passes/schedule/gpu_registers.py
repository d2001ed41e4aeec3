"""How many registers a thread needs for the tiles of a statement's region: an estimate to choose tiles by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from xdsl.dialects.builtin import i64
from xdsl.ir import Block, Operation, SSAValue

from hetc.dialects.mp import RangedOp, ReadOp, ReadStoredOp, ReduceOp
from hetc.passes.schedule.gpu_dependencies import Dependencies, Indices

_ADDRESS = 2
"""Registers of an element's address while it is loaded."""
_PAIR = 5
"""Registers of an element of an argmax: two values, two indices, and what decides between them. Without the last, 32 x
128 elements of a program of 128 threads spilled on sm_80 (ptxas, Triton 3.9)."""

Count = Callable[[Indices], int]
"""Elements of a tile that varies with some indices."""
_Sized = tuple[Indices, int]
"""What a tile varies with, and the registers of an element."""


def counter(tiles: Mapping[SSAValue, int]) -> Count:
    """Counts the elements of tiles of these sizes, each set of indices once."""
    known: dict[Indices, int] = {}

    def count(indices: Indices) -> int:
        if indices not in known:
            product = 1
            for index in indices:
                product *= tiles.get(index, 1)
            known[indices] = product
        return known[indices]

    return count


@dataclass
class _Step:
    """One op of a block. born, dying: the tiles that live from here on, and no longer. address: of what it loads.
    inner: the block of a reduction. pairs: what an argmax compares."""

    born: list[_Sized] = field(default_factory=list)
    dying: list[_Sized] = field(default_factory=list)
    address: Indices | None = None
    inner: _Lives | None = None
    pairs: Indices | None = None


class _Lives:
    """When the values of a block are live: worked out once, whatever the tiles."""

    def __init__(self, block: Block, dependencies: Dependencies):
        self.dependencies = dependencies
        operations = list(block.ops)
        places = {op: number for number, op in enumerate(operations)}
        self.begins = [self._sized(argument) for argument in block.args]
        self.steps = [self._step(op) for op in operations]
        for argument, sized in zip(block.args, self.begins, strict=True):
            self._dies(argument, sized, 0, block, places)
        for number, (op, step) in enumerate(zip(operations, self.steps, strict=True)):
            for result, sized in zip(op.results, step.born, strict=True):
                self._dies(result, sized, number, block, places)

    def _dies(self, value: SSAValue, sized: _Sized, born: int, block: Block, places: Mapping[Operation, int]) -> None:
        last = max((_place(use.operation, block, places) for use in value.uses), default=0)
        if last >= born and self.steps:
            self.steps[last].dying.append(sized)

    def _step(self, op: Operation) -> _Step:
        step = _Step([self._sized(result) if op.operands else (frozenset(), 0) for result in op.results])
        if isinstance(op, ReduceOp):
            step.inner = _Lives(op.body.block, self.dependencies)
            if op.kind.data in ("argmax", "argmin"):
                step.pairs = self.dependencies.of[op.yielded.value] | {op.body.block.args[0]}
        elif isinstance(op, ReadOp | ReadStoredOp):
            step.address = self.dependencies.union(op.indices)
        return step

    def _sized(self, value: SSAValue) -> _Sized:
        return self.dependencies.of.get(value, frozenset()), 2 if value.type == i64 else 1

    def peak(self, count: Count) -> int:
        """The most registers that are live at once; what stands outside of the block is its caller's."""
        live = sum(_registers(sized, count) for sized in self.begins)
        peak = 0
        for step in self.steps:
            live += sum(_registers(sized, count) for sized in step.born)
            peak = max(peak, live + self._passing(step, count))
            live -= sum(_registers(sized, count) for sized in step.dying)
        return peak

    def _passing(self, step: _Step, count: Count) -> int:
        """What an op needs while it runs, besides its operands and results. Finding where the best value is takes
        values and their indices, and those that each is compared with, which stay until it is known which goes on."""
        if step.inner is not None:
            return max(step.inner.peak(count), 0 if step.pairs is None else _PAIR * count(step.pairs))
        return 0 if step.address is None else _ADDRESS * count(step.address)


class TileSizes:
    """How large the values of a statement's region are, for tiles of any sizes."""

    def __init__(self, statement: RangedOp, dependencies: Dependencies):
        self._lives = _Lives(statement.body.block, dependencies)
        self._held: dict[SSAValue, Indices] = {}
        self._terms: dict[ReduceOp, Indices] = {}
        for nested in statement.walk():
            self._held.update(
                (result, dependencies.of[result]) for result in nested.results if result in dependencies.of
            )
            if isinstance(nested, ReduceOp):
                self._terms[nested] = dependencies.of[nested.result] | {nested.body.block.args[0]}

    def registers(self, count: Count) -> int:
        """The most 32-bit elements, over all threads of a program, that are live at once: values between where they
        are computed and where they are last used, with the addresses of what is being loaded."""
        return self._lives.peak(count)

    def largest(self, count: Count, products: tuple[ReduceOp, ...]) -> int:
        """Elements of the largest value; the terms of a matrix product are never held."""
        unheld = {product.yielded.value for product in products}
        sets = {indices for value, indices in self._held.items() if value not in unheld}
        sets |= {indices for reduction, indices in self._terms.items() if reduction not in products}
        return max(map(count, sets), default=1)


def _registers(sized: _Sized, count: Count) -> int:
    elements = count(sized[0])
    return sized[1] * elements if elements > 1 else 0


def _place(op: Operation, block: Block, places: Mapping[Operation, int]) -> int:
    """Where in the block an op is, or what it is nested in."""
    while op.parent is not block:
        parent = op.parent_op()
        assert parent is not None
        op = parent
    return places[op]
