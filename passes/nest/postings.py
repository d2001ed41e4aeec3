"""Sums over rows of a sparse tensor, for every column, by the entries that are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from hetc.dialects import nest
from hetc.dialects.mp import DimOp, TensorType, compute_type
from hetc.passes.nest.building import Builder, dims_of, put_before
from hetc.passes.nest.facts import Facts, conjuncts
from hetc.passes.nest.moving import erase_unused, is_value, kernels_on, own_states, written_in
from hetc.passes.nest.split import split
from hetc.passes.nest.unroll_and_jam import varying

MOST_STATES = 32768
"""Of columns at a time: as many states lie in a processor's cache."""


@dataclass(frozen=True)
class PostingsPass(ModulePass):
    """Where a loop over the columns of a sparse tensor looks for each of them in some rows, and folds only what it
    finds, go through the entries of those rows instead, into a state for each column, and let the loop take the
    states. A state folds what it did, in the same order: rows one after the other. Columns that no row stores keep the
    identity.

    Before: any verified nest.kernel on one of `devices`. After: no such loop is left there, and one of more than 32768
    columns goes by blocks of so many.

        for %n = %lo to %hi {                             %sums = acc [4096] of sum<f32>
          %sum = acc sum<f32>                             for %q { entries %tf[%q] from %lo to %hi { (%n, %v):
          for %q { %v, %there = find %tf[%q, %n]     ->     fold .. into %sums[%n - %lo] } }
            fold .. into %sum if %there }                 for %n = %lo to %hi {
          ... finish %sum ... }                             ... finish %sums[%n - %lo] ... }
    """

    name = "postings"
    devices: tuple[str, ...] = ("cpu",)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in kernels_on(op, self.devices):
            postings(kernel, dims_of(op))


def postings(kernel: nest.KernelOp, dims: Mapping[str, DimOp]) -> None:
    """The loops of one kernel."""
    for loop in [op for op in kernel.walk() if isinstance(op, nest.ForOp)]:
        if loop.bind is None and loop.step_size == 1:
            for held in [op for op in loop.block.ops if isinstance(op, nest.ForOp)]:
                if _search(loop, held) is not None:
                    split(loop, MOST_STATES, Builder(dims, Block(), loop))
                    search = _search(loop, held)
                    assert search is not None
                    _Entries(search, Builder(dims, Block(), held)).put()


@dataclass(frozen=True)
class _Search:
    """A loop that looks for its column in rows. loops: those around what it does with each row, the outermost first,
    which stands in the column loop. own: the values that differ from column to column."""

    loop: nest.ForOp
    loops: Sequence[nest.ForOp]
    find: nest.FindOp
    states: Sequence[nest.AccOp]
    own: set[SSAValue]

    @property
    def innermost(self) -> Block:
        return self.loops[-1].block


def _search(loop: nest.ForOp, held: nest.ForOp) -> _Search | None:
    """What a loop in the loop over columns does, where it is such a search."""
    states, own = own_states(held), varying(loop)
    loops = _chain(held, own)
    if states is None or loops is None or any(_is_several(state) for state in states):
        return None
    folds = [op for op in loops[-1].block.ops if isinstance(op, nest.FoldOp)]
    finds = [op for op in loops[-1].block.ops if isinstance(op, nest.FindOp)]
    find = next((op for op in finds if _decides(op, folds, loop, own)), None)
    if find is None or not _may_move(loop, held):
        return None
    return _Search(loop, loops, find, states, own)


def _chain(held: nest.ForOp, own: set[SSAValue]) -> list[nest.ForOp] | None:
    """Loops in each other with the same limits for all columns, of which the innermost folds and all hold values."""
    loops = [held]
    while True:
        loop = loops[-1]
        if loop.bind is not None or own.intersection((loop.lower, loop.upper)):
            return None
        others = [op for op in loop.block.ops if not is_value(op) and not isinstance(op, nest.LoadOp)]
        if others and all(isinstance(op, nest.FoldOp) and not op.regions for op in others):
            return loops
        if len(others) != 1 or not isinstance(others[0], nest.ForOp):
            return None
        loops.append(others[0])


def _is_several(state: nest.AccOp) -> bool:
    type_ = state.result.type
    assert isinstance(type_, nest.AccType)
    return bool(type_.shape) or nest.is_queue(state.result)


def _decides(find: nest.FindOp, folds: Sequence[nest.FoldOp], loop: nest.ForOp, own: set[SSAValue]) -> bool:
    """Whether each fold needs that the loop's column is stored in a row that is the same for all columns."""
    row, column = find.indices
    same_row = column is loop.index and not own.intersection([row, *conjuncts(find.present)])
    return same_row and all(find.stored in conjuncts(fold.present) for fold in folds)


def _may_move(loop: nest.ForOp, held: nest.ForOp) -> bool:
    """Whether what is worked out for a column in front of the search, and what it loads, is the same before the loop
    over columns begins."""
    written = written_in(loop)
    needed = _needed(loop, held)
    loads = [op for op in (*needed, *nest.ops_in(held)) if isinstance(op, nest.LoadOp)]
    return all(is_value(op) or isinstance(op, nest.LoadOp) for op in needed) and not any(
        load.buffer in written for load in loads
    )


def _needed(loop: nest.ForOp, held: nest.ForOp) -> list[Operation]:
    """The ops of the loop's block, in order, on which what the search uses depends; its states apart."""
    found: set[Operation] = set()
    waiting = [operand.owner for op in nest.ops_in(held) for operand in op.operands]
    while waiting:
        owner = waiting.pop()
        if isinstance(owner, nest.AccOp) or not isinstance(owner, Operation):
            continue
        if owner.parent is loop.block and owner not in found:
            found.add(owner)
            waiting += [operand.owner for operand in owner.operands]
    return [op for op in loop.block.ops if op in found]


@dataclass
class _Entries:
    """Puts loops over entries in the place of a search. arrays: the states of all columns, by those of one."""

    search: _Search
    builder: Builder
    arrays: dict[SSAValue, SSAValue] = field(default_factory=dict)

    def put(self) -> None:
        """In front of the loop over columns, which finishes the states."""
        search, builder = self.search, self.builder
        loop, held = search.loop, search.loops[0]
        for state in search.states:
            type_ = state.result.type
            assert isinstance(type_, nest.AccType)
            made = nest.AccType([loop.most_passes], type_.combiner, nest.LOCAL)
            self.arrays[state.result] = builder.value(nest.AccOp(f"{state.sym_name.data}_columns", made))
        needed = _needed(loop, held)
        with builder.only_if(self._has_columns()):
            self._copy([op for op in needed if not self._is_own(op)])
            self._loops(0, [op for op in needed if self._is_own(op)])
        put_before(builder, loop)
        self._finish()
        held.detach()
        held.erase()
        erase_unused(loop)

    def _has_columns(self) -> SSAValue | None:
        """That there is a column, None where there is one: what is read for all of them may be there only then."""
        loop = self.search.loop
        if Facts.around(loop).has_a_pass(loop):
            return None
        return self.builder.value(arith.CmpiOp(loop.lower, loop.upper, "slt"))

    def _is_own(self, op: Operation) -> bool:
        return bool(self.search.own.intersection((*op.operands, *op.results)))

    def _copy(self, ops: Sequence[Operation]) -> None:
        for op in ops:
            self.builder.block.add_op(op.clone(value_mapper=self.builder.values))

    def _loops(self, depth: int, own: Sequence[Operation]) -> None:
        """The loops over rows from a depth on. own: what is worked out for each column before."""
        if depth == len(self.search.loops):
            self._row(own)
            return
        with self.builder.like(self.search.loops[depth]):
            block = self.search.loops[depth].block
            held = (nest.ForOp, nest.FoldOp)
            values = [op for op in block.ops if not isinstance(op, held) and op is not self.search.find]
            self._copy([op for op in values if not self._is_own(op)])
            self._loops(depth + 1, [*own, *(op for op in values if self._is_own(op))])

    def _row(self, own: Sequence[Operation]) -> None:
        """The entries of a row, and what is folded for each."""
        search, builder, find = self.search, self.builder, self.search.find
        type_ = find.tensor.type
        assert isinstance(type_, TensorType)
        row, present = find.indices[0], find.present
        body = Block(arg_types=[search.loop.index.type, compute_type(type_.element)])
        body.args[0].name_hint, body.args[1].name_hint = search.loop.index.name_hint, find.result.name_hint
        of_row = builder.values.get(row, row)
        condition = None if present is None else builder.values.get(present, present)
        lower, upper, most = search.loop.lower, search.loop.upper, search.loop.most_passes
        builder.add(nest.EntriesOp(find.tensor, of_row, lower, upper, most, Region(body), condition))
        known = {find.stored, *conjuncts(present)}
        with builder.inside(body):
            builder.values[search.loop.index], builder.values[find.result] = body.args
            builder.values[find.stored] = builder.true()
            self._copy(own)
            place = builder.value(arith.SubiOp(body.args[0], lower))
            for fold in [op for op in search.innermost.ops if isinstance(op, nest.FoldOp)]:
                values = [builder.values.get(value, value) for value in fold.values]
                rest = [builder.values.get(each, each) for each in conjuncts(fold.present) if each not in known]
                holds = None
                for each in rest:
                    holds = each if holds is None else builder.value(arith.AndIOp(holds, each))
                unit = fold.unit.data if fold.unit is not None else None
                builder.add(nest.FoldOp(values, self.arrays[fold.states], [place], holds, unit=unit))

    def _finish(self) -> None:
        """The loop over columns takes the states of its column."""
        loop = self.search.loop
        for state in self.search.states:
            for use in list(state.result.uses):
                op = use.operation
                if isinstance(op, nest.FinishOp):
                    builder = Builder(self.builder.dims, Block(), op)
                    place = builder.value(arith.SubiOp(loop.index, loop.lower))
                    where = None if op.place is None else op.place
                    made = builder.add(nest.FinishOp(self.arrays[state.result], [place], where))
                    put_before(builder, op)
                    for old, new in zip(op.results, made.results, strict=True):
                        new.name_hint = old.name_hint
                        old.replace_all_uses_with(new)
                    op.detach()
                    op.erase()
