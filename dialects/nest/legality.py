"""The rules that hold between ops of a kernel.

Independent passes   A loop that is bound `parallel` or `vector`: what different passes write, over all loops inside, is
                     disjoint, and no pass reads what another one writes. So some index of every access must be
                     `c * i + base + r` with the same c and base in all of them and 0 <= r - r0 < c * step.
                     A `vector` loop may also fold into a state from around it.
Folds                at indices computed from data need a combiner whose folds may come in any order, or columns of
                     stored entries, each of which occurs once in a row.
Queues               that are in order take no more.
Fixed point          A sum in fixed point is exact: what is folded lies on its grid, and its bits hold all of it
(`grid`). Places               What outlives a phase lies in global memory.
Barriers             Only a phase waits for the one before: what a parallel loop writes to global memory is used by
                     nothing else in its phase.
Streams              See `streams`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from xdsl.dialects import arith
from xdsl.dialects.scf import IfOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.nest.accumulate import (
    AccOp,
    ArrangeOp,
    EntryOp,
    FinishOp,
    FoldOp,
    MergeOp,
)
from hetc.dialects.nest.combiners import combiner_of
from hetc.dialects.nest.effects import Access, Touch, accesses, inner_ops, ops_in, touches_inside
from hetc.dialects.nest.grid import does_not_fit
from hetc.dialects.nest.linear import Form, form_of, is_inside
from hetc.dialects.nest.memory import FindOp, LoadOp, ReadOp
from hetc.dialects.nest.streams import verify_streams
from hetc.dialects.nest.structure import EntriesOp, ForOp, PhaseOp
from hetc.dialects.nest.types import GLOBAL, PARALLEL, VECTOR, AccType, BufferType


def verify_independent(loop: ForOp) -> None:
    """Raises VerifyException where passes of a parallel or vector loop meet."""
    problem = dependence(loop)
    if problem is not None:
        kind = "vector" if loop.is_bound(VECTOR) else "parallel"
        raise VerifyException(f"nest.for: a {kind} loop whose passes meet: {problem}")


def order_of_passes(loop: ForOp) -> str | None:
    """Why the passes of a loop have to come in their order, between those of other loops; None where any order gives
    the same. Folds of exact combiners do."""
    problem = _meeting(loop, lambda found: all(access.fold and _is_exact(access) for access in found))
    return None if problem is None else f"passes whose order matters: {problem}"


def _is_exact(access: Access) -> bool:
    type_ = access.target.type
    return isinstance(type_, AccType) and combiner_of(type_.combiner).is_exact


def dependence(loop: ForOp) -> str | None:
    """Why the passes of a loop cannot be carried out at the same time; None where they can."""
    return _meeting(loop, lambda found: loop.is_bound(VECTOR) and all(access.fold for access in found))


def _meeting(loop: ForOp, is_allowed: Callable[[Sequence[Access]], bool]) -> str | None:
    """How passes of a loop meet, where that is not allowed for what they do there."""
    for target, found in meeting_accesses(loop).items():
        if not is_allowed(found):
            return f"{target.name_hint or 'a buffer'} is written by one and used by another"
    return None


def meeting_accesses(loop: ForOp) -> dict[SSAValue, list[Access]]:
    """The accesses in a loop to each buffer and state from around it where a pass may use what another one writes."""
    written = {target: found for target, found in _from_around(loop).items() if any(touch.writes for touch in found)}
    met = {target: _accesses(found) for target, found in written.items()}
    return {target: found for target, found in met.items() if not _disjoint(found, loop)}


def fused_dependence(first: ForOp, second: ForOp) -> str | None:
    """Why the passes of two loops of one range, the second behind the first, cannot be taken in turns: what one of them
    writes and the other one touches is not that of the same pass. None where they can."""
    before, after = (_from_around(loop) for loop in (first, second))
    for target in before.keys() & after.keys():
        if any(touch.writes for touch in (*before[target], *after[target])):
            own, others = _accesses(before[target]), _accesses(after[target])
            if not _same_passes(own, first, others, second):
                return f"{target.name_hint or 'a buffer'} is written in one pass and used in another"
    return None


def _from_around(loop: ForOp) -> dict[SSAValue, list[Touch]]:
    """What touches each buffer and state that is declared around a loop, in the loop."""
    found: dict[SSAValue, list[Touch]] = {}
    for touch in touches_inside(loop):
        found.setdefault(touch.target, []).append(touch)
    return {target: touched for target, touched in found.items() if _from_outside(target, loop)}


def _accesses(touched: Sequence[Touch]) -> list[Access]:
    """The same with indices."""
    return [
        access
        for touch in touched
        for access in accesses(touch.op)
        if access.target is touch.target and access.writes is touch.writes
    ]


def _same_passes(before: Sequence[Access], first: ForOp, after: Sequence[Access], second: ForOp) -> bool:
    """Whether some index of all of these accesses tells the passes apart, of both loops alike."""
    if len({len(access.indices) for access in (*before, *after)}) != 1:
        return False
    for place in range(len(before[0].indices)):
        forms = [form_of(access.indices[place], first) for access in before]
        others = [form_of(access.indices[place], second) for access in after]
        forms += [None if form is None else form.renamed(second.index, first.index) for form in others]
        if _tell_apart(forms, first):
            return True
    return False


def _from_outside(target: SSAValue, loop: ForOp) -> bool:
    owner = target.owner
    return isinstance(owner, Block) or not is_inside(owner, loop)


def _disjoint(found: Sequence[Access], loop: ForOp) -> bool:
    """Whether some index of all of these accesses tells the loop's passes apart."""
    ranks = {len(access.indices) for access in found}
    if len(ranks) != 1:
        return False
    return any(_apart([access.indices[place] for access in found], loop) for place in range(ranks.pop()))


def _apart(indices: Iterable[SSAValue], loop: ForOp) -> bool:
    return _tell_apart([form_of(index, loop) for index in indices], loop)


def _tell_apart(forms: Sequence[Form | None], loop: ForOp) -> bool:
    known = [form for form in forms if form is not None]
    terms = known[0].terms if known else {}
    if len(known) < len(forms) or any(form.terms != terms for form in known) or loop.index not in terms:
        return False
    width = max(form.high for form in known) - min(form.low for form in known)
    return width < abs(terms[loop.index]) * loop.step_size


def verify_kernel(kernel: Operation) -> None:
    """Raises VerifyException where a rule of the module's docstring is broken in a kernel."""
    for op in kernel.regions[0].block.ops:
        for result in op.results:
            _verify_global(result)
    for op in ops_in(kernel):
        if isinstance(op, AccOp):
            _verify_fixed_point(op)
        elif isinstance(op, FoldOp):
            _verify_fold(op)
        elif isinstance(op, ArrangeOp):
            _verify_arranged(op)
        elif isinstance(op, ForOp) and (op.is_bound(PARALLEL) or op.is_bound(VECTOR)):
            verify_independent(op)
        elif isinstance(op, PhaseOp):
            _verify_barriers(op)
    verify_streams(kernel)


def _verify_global(value: SSAValue) -> None:
    type_ = value.type
    if isinstance(type_, BufferType | AccType) and type_.where != GLOBAL:
        raise VerifyException(f"nest.kernel: what lies outside of the phases is global, got {type_}")


def _verify_fixed_point(op: AccOp) -> None:
    type_ = op.result.type
    assert isinstance(type_, AccType)
    bits = combiner_of(type_.combiner).fraction_bits
    problem = None if bits is None else does_not_fit(op.result, bits)
    if problem is not None:
        raise VerifyException(f"nest.acc: a {type_.combiner.kind.data} is exact or nothing: {problem}")


def _verify_fold(op: FoldOp) -> None:
    type_ = op.states.type
    assert isinstance(type_, AccType)
    if combiner_of(type_.combiner).is_exact:
        return
    for index in op.indices:
        if _is_data(index):
            raise VerifyException(
                f"nest.fold: {type_.combiner.kind.data} of floats depends on the order of its folds, and an index is "
                "computed from data: different folds may meet"
            )


def _verify_arranged(op: ArrangeOp) -> None:
    """A queue in order is no longer one that takes pairs."""
    for use in op.states.uses:
        later = use.operation
        if not isinstance(later, FoldOp) and not (isinstance(later, MergeOp) and later.states is op.states):
            continue
        block = op.parent
        while block is not None and (at := block.find_ancestor_op_in_block(later)) is None:
            block = block.parent_block()
        assert block is not None and at is not None
        before = block.find_ancestor_op_in_block(op)
        assert before is not None
        if block.get_operation_index(before) < block.get_operation_index(at):
            raise VerifyException("nest.arrange: a queue that is in order takes no more")


def _is_data(index: SSAValue) -> bool:
    """Whether an index depends on what tensors hold; the column of a stored entry does not, for each is met once."""
    owner = index.owner
    if isinstance(owner, Block):
        parent = owner.parent_op()
        return not isinstance(parent, ForOp | EntriesOp | PhaseOp)
    if isinstance(owner, ReadOp | FindOp | LoadOp | FinishOp | EntryOp):
        return True
    if isinstance(owner, arith.AddiOp | arith.SubiOp | arith.MuliOp | arith.ConstantOp):
        return any(_is_data(operand) for operand in owner.operands)
    return any(_is_data(operand) for operand in owner.operands) or _may_repeat(owner)


def _may_repeat(op: Operation) -> bool:
    """Whether an op gives one value for several: then two columns may become one index."""
    return any(_has_column(operand) for operand in op.operands)


def _has_column(value: SSAValue) -> bool:
    owner = value.owner
    if isinstance(owner, Block):
        return isinstance(owner.parent_op(), EntriesOp)
    return any(_has_column(operand) for operand in owner.operands)


def _verify_barriers(phase: PhaseOp) -> None:
    for loop in inner_ops(phase):
        if isinstance(loop, ForOp) and loop.is_bound(PARALLEL):
            problem = unawaited(loop, phase)
            if problem is not None:
                raise VerifyException(f"nest.phase: {problem}")


def unawaited(loop: ForOp, phase: PhaseOp) -> str | None:
    """Why the passes of a parallel loop would have to be waited for inside of its phase; None where nothing waits."""
    written: set[SSAValue] = set()
    for touch in touches_inside(loop):
        type_ = touch.target.type
        assert isinstance(type_, BufferType | AccType)
        if touch.writes and type_.where == GLOBAL:
            written.add(touch.target)
    for touch in touches_inside(phase):
        if touch.target in written and not is_inside(touch.op, loop) and not _is_of_other_passes(touch.op, loop):
            name = touch.target.name_hint or "a buffer"
            return f"{name} is written in a parallel loop and used beside it: only a phase waits for the one before"
    return None


def _is_of_other_passes(op: Operation, loop: ForOp) -> bool:
    """Whether an op stands in a loop that goes on where this one, or one around it, ends, or ends where it begins, and
    touches nothing that passes of that one do: so the two loops are one whose passes are independent."""
    around: Operation | None = loop
    while isinstance(around, ForOp | IfOp):
        beside = None if around.parent is None else around.parent.find_ancestor_op_in_block(op)
        if isinstance(around, ForOp) and isinstance(beside, ForOp) and beside is not around:
            # A step of the lower range reaches no further than where the higher one begins.
            lower, higher = (around, beside) if beside.lower is around.upper else (beside, around)
            return higher.lower is lower.upper and fused_dependence(lower, higher) is None
        around = around.parent_op()
    return False
