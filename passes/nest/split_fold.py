"""Long folds of a processor's kernels in chunks of a constant length, which threads may share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import ArrayAttr, IndexType, IntegerAttr, ModuleOp, i64
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.passes import ModulePass

from hetc.dialects import nest
from hetc.dialects.mp import DimAttr, DimOp, DimSizeOp, WideIndexType
from hetc.passes.nest.building import Builder, dims_of
from hetc.passes.nest.chains import Chain, chunk_count, chunks_in, copy_into, length_of, outside_values, same_loop

QUEUES_PER_CHUNK = 16
"""How many times what a queue keeps a chunk is at least: what chunks keep is then little of what they go through."""
MOST_CHUNKS = 256

OF_SPARSE_ROWS = 8
"""How many times as long a chunk is that goes through entries of sparse rows: there is little in each, and to find the
first of them takes a search."""


@dataclass(frozen=True)
class SplitFoldPass(ModulePass):
    """Split a loop that folds into states beside it into chunks of a constant length, each with states of its own, and
    merge these in the order of the chunks in a phase of their own. A chunk is as long as the bounds of dims and the
    size of queues say: not as threads, the batch or the live length do, so neither do bits depend on them.

    Before: no loop of the kernels on one of `devices` is bound. After: no fold there that stands alone in loops over
    free indices goes through more than twice `chunk` elements where it may be split.

        phase { for %b { acc %k                         %part = acc [B, C], global
          for %t = 0 to %T { fold %v into %k }   ->     phase { for %b { for %c { acc %k ; for %t { fold %v into %k }
          finish %k } }                                   merge %k into %part[%b, %c] } } }
                                                        phase { for %b { acc %k
                                                          for %c { merge %part[%b, %c] into %k }
                                                          finish %k } }
    """

    name = "split-fold"
    devices: tuple[str, ...] = ("cpu",)
    chunk: int = 4096

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        dims = dims_of(op)
        for kernel in [item for item in op.body.block.ops if isinstance(item, nest.KernelOp)]:
            if kernel.device.data in self.devices:
                split_folds(kernel, dims, self.chunk)


def split_folds(kernel: nest.KernelOp, dims: Mapping[str, DimOp], chunk: int = SplitFoldPass.chunk) -> None:
    """The folds of one kernel."""
    for phase in [op for op in kernel.block.ops if isinstance(op, nest.PhaseOp)]:
        chain = Chain(phase)
        while (loop := chain.next()) is not None:
            chain.loops.append(loop)
        found = _candidate(chain, chunk)
        extents = _extents(chain)
        if found is not None and extents is not None:
            _Split(kernel, chain, found, dims, extents, _chunk_of(found, chunk)).split()


def _candidate(chain: Chain, chunk: int) -> nest.ForOp | None:
    """The one long loop in the chain's block that only folds, into states that are declared beside it."""
    long = [op for op in chain.block.ops if isinstance(op, nest.ForOp) and op.most_passes > 2 * chunk]
    if len(long) != 1 or long[0].step_size != 1:
        return None
    states = _states(long[0])
    if any(not isinstance(value.owner, nest.AccOp) or value.owner.parent is not chain.block for value in states):
        return None
    if not all(_may_split(value, long[0]) for value in states):
        return None
    outside = [value for value in outside_values(long[0]) if value not in states]
    fixed = all(chain.is_fixed(op) for op in chain.needed(outside))
    return long[0] if states and fixed and _only_folds(long[0], states) else None


def _states(loop: nest.ForOp) -> list[SSAValue]:
    """What a loop folds into that is declared around it."""
    outside = set(outside_values(loop))
    return list(
        dict.fromkeys(op.states for op in nest.ops_in(loop) if isinstance(op, nest.FoldOp) and op.states in outside)
    )


def _only_folds(loop: nest.ForOp, states: list[SSAValue]) -> bool:
    outside = set(outside_values(loop))
    writes = [access for access in nest.accesses_inside(loop) if access.target in outside and access.writes]
    return all(access.fold and access.target in states for access in writes)


def _may_split(states: SSAValue, loop: nest.ForOp) -> bool:
    """Whether states are single, and of what is merged by numbers alone: a queue's pairs, or no sums of its own."""
    type_ = states.type
    assert isinstance(type_, nest.AccType)
    users = [use.operation for use in states.uses]
    if type_.shape or any(isinstance(op, nest.OfferedOp | nest.MergeOp) for op in users):
        return False
    before = [op for op in users if isinstance(op, nest.FoldOp) and not nest.is_inside(op, loop)]
    is_plain = all(item.size is None for item in nest.combiner_of(type_.combiner).state)
    return not before and (is_plain or nest.is_queue(states))


def _extents(chain: Chain) -> list[Attribute] | None:
    """The extents that the chain's loops go through; None where one goes through something else."""
    found: list[Attribute] = []
    for loop in chain.loops:
        owner, number = loop.upper.owner, nest.number_of(loop.upper)
        if nest.number_of(loop.lower) != 0 or loop.step_size != 1:
            return None
        if number is not None:
            found.append(IntegerAttr(number, i64))
        elif isinstance(owner, DimSizeOp):
            found.append(DimAttr(owner.dim))
        else:
            return None
    return found


def _chunk_of(loop: nest.ForOp, chunk: int) -> int:
    """The length of a chunk: a power of two times `chunk`, by what the loop's queues keep, whether it searches rows of
    sparse tensors, and its bound."""
    if any(isinstance(op, nest.FindOp) for op in loop.body.walk()):
        chunk *= OF_SPARSE_ROWS
    types = [states.type for states in _states(loop)]
    kept = max((type_.combiner.size.data for type_ in types if isinstance(type_, nest.AccType)), default=0)
    while chunk < QUEUES_PER_CHUNK * kept or chunk * MOST_CHUNKS < loop.most_passes:
        chunk *= 2
    return chunk


@dataclass
class _Split:
    """One loop on its way. `parts`: where the states of the chunks lie: a state for each, or the scores and indices of
    a queue."""

    kernel: nest.KernelOp
    chain: Chain
    loop: nest.ForOp
    dims: Mapping[str, DimOp]
    extents: list[Attribute]
    chunk: int

    @property
    def most(self) -> int:
        return -(-self.loop.most_passes // self.chunk)

    def split(self) -> None:
        if self.most < 2:
            return
        states = _states(self.loop)
        builder = Builder(self.dims, Block(), self.loop)
        parts = [self._part(builder, value) for value in states]
        with builder.phase():
            count = chunk_count(builder, self.chain, self.loop, self.chunk)
            with ExitStack() as stack:
                outer = [stack.enter_context(same_loop(builder, self.chain, loop)) for loop in self.chain.loops]
                chunk = stack.enter_context(builder.counted("chunk", count, self.most))
                self._one_chunk(builder, states, parts, [*outer, chunk])
        for op in list(builder.block.ops):
            op.detach()
            self.kernel.block.insert_op_before(op, self.chain.phase)
        self._merge(states, parts)

    def _part(self, builder: Builder, states: SSAValue) -> list[SSAValue]:
        """Memory for the states of all chunks."""
        type_, name = states.type, states.name_hint or "part"
        assert isinstance(type_, nest.AccType)
        extents = [*self.extents, IntegerAttr(self.most, i64)]
        if not nest.is_queue(states):
            made = nest.AccType(ArrayAttr(extents), type_.combiner, nest.GLOBAL)
            return [builder.value(nest.AccOp(f"{name}_parts", made))]
        kept = ArrayAttr([*extents, IntegerAttr(type_.combiner.size.data, i64)])
        scores = nest.BufferType(kept, type_.combiner.type, nest.GLOBAL)
        element = IndexType() if self.loop.most_passes < 1 << 31 else WideIndexType()
        indices = nest.BufferType(kept, element, nest.GLOBAL)
        return [
            builder.value(nest.BufferOp(f"{name}_scores", scores)),
            builder.value(nest.BufferOp(f"{name}_indices", indices)),
        ]

    def _one_chunk(
        self, builder: Builder, states: list[SSAValue], parts: list[list[SSAValue]], place: list[SSAValue]
    ) -> None:
        """The folds of a chunk, where the loop is that long, and what they end as."""
        loop = self.loop
        needed = [value for value in outside_values(loop) if value not in states]
        copy_into(builder, self.chain.needed([*needed, loop.lower, loop.upper]))
        lower, upper = (builder.values.get(value, value) for value in (loop.lower, loop.upper))
        first = builder.value(arith.MuliOp(place[-1], builder.index(self.chunk)))
        if nest.number_of(lower) != 0:
            first = builder.value(arith.AddiOp(lower, first))
        last = builder.value(arith.MinSIOp(builder.value(arith.AddiOp(first, builder.index(self.chunk))), upper))
        with builder.only_if(builder.value(arith.CmpiOp(first, upper, "slt"))):
            for value in states:
                copy_into(builder, [value.owner])  # type: ignore[list-item]
            body = Block(arg_types=[IndexType()])
            body.args[0].name_hint = loop.index.name_hint
            builder.add(nest.ForOp(first, last, self.chunk, Region(body)))
            values = {**builder.values, loop.index: body.args[0]}
            for op in loop.block.ops:
                body.add_op(op.clone(value_mapper=values))
            for value, part in zip(states, parts, strict=True):
                self._keep(builder, builder.values[value], part, place)

    def _keep(self, builder: Builder, states: SSAValue, part: list[SSAValue], place: list[SSAValue]) -> None:
        """A chunk's state in memory."""
        if not nest.is_queue(states):
            builder.add(nest.MergeOp(states, [], part[0], place))
            return
        for at in _places(builder, states):
            entry = nest.EntryOp(states, [], at)
            builder.add(entry)
            builder.add(nest.StoreOp(entry.score, part[0], [*place, at]))
            builder.add(nest.StoreOp(entry.index, part[1], [*place, at]))

    def _merge(self, states: list[SSAValue], parts: list[list[SSAValue]]) -> None:
        """The chunks' states into those beside the loop, in its place."""
        loop = self.loop
        builder = Builder(self.dims, Block(), loop)
        count = chunks_in(builder, length_of(builder, loop), self.chunk)
        outer: list[SSAValue] = [item.index for item in self.chain.loops]
        with builder.counted("chunk", count, self.most) as chunk:
            for value, part in zip(states, parts, strict=True):
                self._take(builder, value, part, [*outer, chunk])
        block = loop.parent
        assert block is not None
        for op in list(builder.block.ops):
            op.detach()
            block.insert_op_before(op, loop)
        loop.detach()
        loop.erase()

    def _take(self, builder: Builder, states: SSAValue, part: list[SSAValue], place: list[SSAValue]) -> None:
        if not nest.is_queue(states):
            builder.add(nest.MergeOp(part[0], place, states))
            return
        for at in _places(builder, states):
            score = builder.value(nest.LoadOp(part[0], [*place, at]))
            index = builder.value(nest.LoadOp(part[1], [*place, at]))
            here = builder.value(arith.CmpiOp(index, builder.index(0), "sge"))
            builder.add(nest.FoldOp([score, index], states, [], here))


def _places(builder: Builder, states: SSAValue) -> Iterator[SSAValue]:
    """A loop over the pairs of a queue: what is built before the next one goes into it."""
    type_ = states.type
    assert isinstance(type_, nest.AccType)
    size = type_.combiner.size.data
    with builder.counted("j", builder.index(size), size) as at:
        yield at
