"""Loops that stand in each other, and what is worked out between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType
from xdsl.ir import Block, Operation, SSAValue
from xdsl.traits import is_side_effect_free

from hetc.dialects import nest
from hetc.dialects.mp import DimSizeOp
from hetc.passes.nest.building import Builder


@dataclass
class Chain:
    """Loops of a phase of which each holds the next one, and beside it only what has no effect. `block` is what the
    innermost of them holds, the phase's own block where there are none."""

    phase: nest.PhaseOp
    loops: list[nest.ForOp] = field(default_factory=list)

    @property
    def block(self) -> Block:
        return self.loops[-1].block if self.loops else self.phase.block

    @property
    def blocks(self) -> list[Block]:
        """Of the phase and of each loop."""
        return [self.phase.block, *(loop.block for loop in self.loops)]

    def next(self) -> nest.ForOp | None:
        """The one loop that stands in the innermost block, where nothing beside it has an effect."""
        acting = [op for op in self.block.ops if not self.is_fixed(op)]
        return acting[0] if len(acting) == 1 and isinstance(acting[0], nest.ForOp) else None

    def is_fixed(self, op: Operation) -> bool:
        """Whether an op has no effect, and gives the same wherever it stands in the phase."""
        if isinstance(op, nest.LoadOp):
            written = {touch.target for touch in nest.touches_inside(self.phase) if touch.writes}
            return op.buffer not in written
        return not op.regions and (isinstance(op, DimSizeOp) or is_side_effect_free(op))

    def needed(self, values: Iterable[SSAValue]) -> list[Operation]:
        """The ops of the blocks on which values depend, in order."""
        found: set[Operation] = set()
        waiting = [value.owner for value in values]
        while waiting:
            owner = waiting.pop()
            if isinstance(owner, Operation) and owner not in found and owner.parent in self.blocks:
                found.add(owner)
                waiting += [operand.owner for operand in owner.operands]
        return [op for block in self.blocks for op in block.ops if op in found]

    def varies(self, values: Iterable[SSAValue]) -> list[nest.ForOp]:
        """The loops on whose indices values depend."""
        values = list(values)
        used = {operand for op in self.needed(values) for operand in op.operands}.union(values)
        return [loop for loop in self.loops if loop.index in used]


def outside_values(root: Operation) -> list[SSAValue]:
    """What an op, or an op in it, uses and does not define."""
    used = dict.fromkeys(operand for op in nest.ops_in(root) for operand in op.operands)
    return [value for value in used if not _is_defined_in(value, root)]


def _is_defined_in(value: SSAValue, root: Operation) -> bool:
    owner = value.owner.parent_op() if isinstance(value.owner, Block) else value.owner
    if owner is root:
        return isinstance(value.owner, Block)
    return owner is not None and nest.is_inside(owner, root)


def copy_into(builder: Builder, ops: Sequence[Operation]) -> None:
    """Copies of ops that are not there yet, with what the builder's values say for their operands."""
    for op in ops:
        if op.results and op.results[0] not in builder.values:
            copy = op.clone(value_mapper=builder.values)
            builder.block.add_op(copy)


def chunk_count(builder: Builder, chain: Chain, loop: nest.ForOp, chunk: int) -> SSAValue:
    """How many chunks the longest of the loops has that stand in a chain, at the end of the builder's block, which is
    in front of the chain."""
    bounds = [loop.lower, loop.upper]
    varying = chain.varies(bounds)
    if not varying:
        copy_into(builder, chain.needed(bounds))
        longest = length_of(builder, loop)
    else:
        states = builder.value(nest.AccOp("longest", nest.AccType([], nest.CombinerAttr("max", IndexType()))))
        outer = dict(builder.values)
        _fold_lengths(builder, chain, loop, varying, states)
        builder.values = outer
        longest = builder.value(nest.FinishOp(states))
    return chunks_in(builder, longest, chunk)


def chunks_in(builder: Builder, length: SSAValue, chunk: int) -> SSAValue:
    """How many chunks a length has, which may be below 0."""
    more = builder.value(arith.AddiOp(length, builder.index(chunk - 1)))
    positive = builder.value(arith.MaxSIOp(more, builder.index(0)))
    return builder.value(arith.FloorDivSIOp(positive, builder.index(chunk)))


def length_of(builder: Builder, loop: nest.ForOp) -> SSAValue:
    """How many passes a loop by steps of one has, which may be below 0."""
    lower, upper = (builder.values.get(value, value) for value in (loop.lower, loop.upper))
    return upper if nest.number_of(lower) == 0 else builder.value(arith.SubiOp(upper, lower))


def _fold_lengths(
    builder: Builder, chain: Chain, loop: nest.ForOp, varying: Sequence[nest.ForOp], states: SSAValue
) -> None:
    """The lengths for all indices of the loops that they depend on, into the largest so far."""
    if not varying:
        copy_into(builder, chain.needed([loop.lower, loop.upper]))
        builder.add(nest.FoldOp([length_of(builder, loop)], states))
        return
    with same_loop(builder, chain, varying[0]):
        _fold_lengths(builder, chain, loop, varying[1:], states)


def same_loop(builder: Builder, chain: Chain, loop: nest.ForOp) -> AbstractContextManager[SSAValue]:
    """A copy of a chain's loop without what it holds; gives its index. Inside, ops go into the loop."""
    copy_into(builder, chain.needed([loop.lower, loop.upper]))
    return builder.like(loop)
