"""Appending ops to blocks, as the lowerings do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from xdsl.ir import Block, Operation, SSAValue

from hetc.dialects.locations import copy_location


class BlockBuilder:
    """Appends ops to `block`, each with the location of `source`, the op that is being lowered."""

    def __init__(self, block: Block, source: Operation):
        self.block, self.source = block, source

    @contextmanager
    def at(self, source: Operation) -> Iterator[None]:
        """Ops built inside carry the location of `source`."""
        before, self.source = self.source, source
        yield
        self.source = before

    @contextmanager
    def inside(self, block: Block) -> Iterator[None]:
        """Ops built inside go to `block`."""
        before, self.block = self.block, block
        yield
        self.block = before

    def add_all(self, op: Operation) -> Sequence[SSAValue]:
        """Append an op; its results."""
        self.block.add_op(copy_location(self.source, op))
        return op.results

    def add(self, op: Operation) -> SSAValue:
        """Append an op; its first result (an op without results returns nothing useful)."""
        results = self.add_all(op)
        return results[0] if results else None  # type: ignore[return-value]
