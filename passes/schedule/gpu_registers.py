"""How many registers a thread needs for the tiles of a statement's region: an estimate to choose tiles by."""

from __future__ import annotations

from collections.abc import Mapping

from xdsl.dialects.builtin import i64
from xdsl.ir import Block, Operation, SSAValue

from hetc.dialects.mp import RangedOp, ReadOp, ReadStoredOp, ReduceOp
from hetc.passes.schedule.gpu_dependencies import Dependencies, Indices

_ADDRESS = 2
"""Registers of an element's address while it is loaded."""
_PAIR = 5
"""Registers of an element of an argmax: two values, two indices, and what decides between them. Without the last, 32 x
128 elements of a program of 128 threads spilled on sm_80 (ptxas, Triton 3.9)."""


def elements(indices: Indices, tiles: Mapping[SSAValue, int]) -> int:
    """Elements of a tile that varies with these indices."""
    count = 1
    for index in indices:
        count *= tiles.get(index, 1)
    return count


def live_registers(statement: RangedOp, dependencies: Dependencies, tiles: Mapping[SSAValue, int]) -> int:
    """The most 32-bit elements, over all threads of a program, that are live at once: values between where they are
    computed and where they are last used, with the addresses of what is being loaded."""
    return _Liveness(dependencies, tiles).of_block(statement.body.block)


class _Liveness:
    def __init__(self, dependencies: Dependencies, tiles: Mapping[SSAValue, int]):
        self.dependencies, self.tiles = dependencies, tiles

    def of_block(self, block: Block) -> int:
        """The peak inside a block; what stands outside of it is its caller's."""
        operations = list(block.ops)
        places = {op: number for number, op in enumerate(operations)}
        sizes: dict[SSAValue, int] = {value: self._size(value) for value in block.args}
        last: dict[SSAValue, int] = dict.fromkeys(block.args, 0)
        for op in operations:
            for result in op.results:
                sizes[result] = 0 if not op.operands else self._size(result)
                last[result] = max((_place(use.operation, block, places) for use in result.uses), default=0)
        for argument in block.args:
            last[argument] = max((_place(use.operation, block, places) for use in argument.uses), default=0)
        peak, live = 0, sum(sizes[argument] for argument in block.args)
        for number, op in enumerate(operations):
            live += sum(sizes[result] for result in op.results)
            peak = max(peak, live + self._passing(op))
            live -= sum(
                size for value, size in sizes.items() if last[value] == number and self._born(value, places) <= number
            )
        return peak

    @staticmethod
    def _born(value: SSAValue, places: Mapping[Operation, int]) -> int:
        return places[value.owner] if isinstance(value.owner, Operation) else 0

    def _passing(self, op: Operation) -> int:
        """What an op needs while it runs, besides its operands and results."""
        if isinstance(op, ReduceOp):
            return max(self.of_block(op.body.block), self._pairs(op))
        if isinstance(op, ReadOp | ReadStoredOp):
            return _ADDRESS * elements(self.dependencies.union(op.indices), self.tiles)
        return 0

    def _pairs(self, op: ReduceOp) -> int:
        """What finding where the best value is takes: values and their indices, and those that each is compared with,
        which stay until it is known which of them goes on."""
        if op.kind.data not in ("argmax", "argmin"):
            return 0
        indices = self.dependencies.of[op.yielded.value] | {op.body.block.args[0]}
        return _PAIR * elements(indices, self.tiles)

    def _size(self, value: SSAValue) -> int:
        indices = self.dependencies.of.get(value, frozenset())
        count = elements(indices, self.tiles)
        return (2 if value.type == i64 else 1) * count if count > 1 else 0


def _place(op: Operation, block: Block, places: Mapping[Operation, int]) -> int:
    """Where in the block an op is, or what it is nested in."""
    while op.parent is not block:
        parent = op.parent_op()
        assert parent is not None
        op = parent
    return places[op]
