"""What lanes are: the passes of a `vector` loop in lockstep, one lane each.

A value of the loop's body is the same in every lane, or each lane has its own. What only a single pass can do (a loop
of its own length, a search, a queue of its own) has no form in lanes.
"""

from __future__ import annotations

from math import prod

from xdsl.dialects import scf
from xdsl.ir import Block, Operation, SSAValue

from hetc.dialects.mp import DimSizeOp, TensorType
from hetc.dialects.nest.accumulate import AccOp, ArrangeOp, EntryOp, FinishOp, FoldOp, MergeOp, OfferedOp, is_queue
from hetc.dialects.nest.combiners import Built, combiner_of
from hetc.dialects.nest.effects import inner_ops
from hetc.dialects.nest.joining import JoinOp
from hetc.dialects.nest.linear import form_of, is_inside
from hetc.dialects.nest.memory import BufferOp, FindOp, LoadOp, PopOp, PushOp, ReadOp, StoreOp
from hetc.dialects.nest.structure import EntriesOp, ForOp, number_of
from hetc.dialects.nest.types import GLOBAL, PARALLEL, VECTOR, AccType, BufferType, Shape

MOST_LANES = 64
MOST_ELEMENTS = 256
"""Of a buffer that each lane has for itself."""

MOST_STATES = 1024
UNKNOWN = 1 << 62

_NO_LANES = (EntriesOp, FindOp, PushOp, PopOp, ArrangeOp, EntryOp, OfferedOp, MergeOp, JoinOp)


def is_lockstep(loop: ForOp) -> bool:
    """Whether a loop is one step of its lanes: from 0, as many passes as it is wide."""
    width = loop.lane_count
    return bool(width) and loop.step_size == 1 and (number_of(loop.lower), number_of(loop.upper)) == (0, width)


def own_values(loop: ForOp) -> set[SSAValue]:
    """The values of a loop's body of which each lane has its own."""
    found: set[SSAValue] = {loop.index}
    for op in inner_ops(loop):
        target = op.operands[0] if type(op) is LoadOp or type(op) is FinishOp else None
        is_private = target is not None and _is_private(target, loop)
        if is_private or found.intersection(op.operands):
            found.update(op.results)
    return found


def is_in_line(op: Operation, loop: ForOp, own: set[SSAValue]) -> bool:
    """Whether the elements that lanes read or write lie one behind the other, or are one and the same."""
    indices = list(op.indices) if isinstance(op, ReadOp | LoadOp | StoreOp) else []
    if isinstance(op, LoadOp | StoreOp) and isinstance(op.buffer.owner, BufferOp) and op.buffer.owner.order is not None:
        indices = [indices[item.value.data] for item in op.buffer.owner.order]
    places = [position for position, index in enumerate(indices) if index in own]
    if not places:
        return True
    form = form_of(indices[-1], loop)
    if places != [len(indices) - 1] or form is None or form.terms.get(loop.index) != 1:
        return False
    type_ = op.tensor.type if isinstance(op, ReadOp) else None
    return not isinstance(type_, TensorType) or type_.rows is None or type_.row_axis + 1 < len(indices)


def _is_private(target: SSAValue, loop: ForOp) -> bool:
    """Whether a buffer or a state is declared in the body: then each lane has one."""
    return isinstance(target.owner, Operation) and is_inside(target.owner, loop)


def not_in_lanes(loop: ForOp, width: int = 0) -> str | None:
    """Why the passes of a loop cannot be lanes, so many at once (as many as it is bound to, by default); None where
    they can."""
    width = width or loop.lane_count
    if width not in (2, 4, 8, 16, 32, MOST_LANES):
        return f"{width} lanes: their number is a power of two of at most {MOST_LANES}"
    if loop.step_size != 1:
        return f"lanes of a loop by steps of {loop.step_size}"
    own = own_values(loop)
    return next((reason for op in inner_ops(loop) if (reason := _obstacle(op, loop, own, width))), None) or _several(
        loop
    )


def _obstacle(op: Operation, loop: ForOp, own: set[SSAValue], width: int) -> str | None:
    """Why one op has no form in lanes."""
    match op:
        case ForOp():
            return _inner_loop(op, own)
        case LoadOp() | StoreOp() if _is_private(op.buffer, loop) and own.intersection(op.indices):
            return "places in buffers that each lane has for itself"
        case scf.IfOp() if op.cond in own:
            return "a branch that only some lanes take"
        case DimSizeOp() if op.per in own:
            return "a length for each lane"
        case ReadOp():
            type_ = op.tensor.type
            assert isinstance(type_, TensorType)
            rows = type_.rows
            if rows is not None and rows.is_paged and own.intersection(op.indices[: type_.row_axis + 1]):
                return "pages of each lane's own"
        case BufferOp():
            shape = op.result.type.shape if isinstance(op.result.type, BufferType) else ()
            if _size(shape) > MOST_ELEMENTS:
                return f"a buffer of more than {MOST_ELEMENTS} elements for each lane"
        case AccOp():
            return None if _is_scalar(op.result) else f"{op.result.type} for each lane"
        case FoldOp():
            return _fold(op, loop, width)
    return f"{op.name} in lanes" if isinstance(op, _NO_LANES) else None


def _size(shape: Shape) -> int:
    """The elements of extents, more than any number where one of them is known only when the kernel runs."""
    return prod(extent if isinstance(extent, int) else UNKNOWN for extent in shape)


def _inner_loop(op: ForOp, own: set[SSAValue]) -> str | None:
    if op.is_bound(PARALLEL) or op.is_bound(VECTOR):
        return "lanes around a loop that is carried out at the same time"
    return "a loop whose limits each lane has its own" if own.intersection((op.lower, op.upper)) else None


def _is_scalar(states: SSAValue) -> bool:
    """Whether states are numbers that a builder joins: no queue, and nothing with a size."""
    type_ = states.type
    assert isinstance(type_, AccType)
    combiner = combiner_of(type_.combiner)
    return isinstance(combiner, Built) and all(field.size is None for field in combiner.state)


def _fold(op: FoldOp, loop: ForOp, width: int) -> str | None:
    type_ = op.states.type
    assert isinstance(type_, AccType)
    if _is_private(op.states, loop):
        return None
    if is_queue(op.states):
        # One for all lanes: the order of its pairs does not matter.
        return None if all(_is_outside(index, loop) for index in op.indices) else "a queue for each lane"
    if not _is_scalar(op.states):
        return f"{type_.combiner.kind.data} as a tree of lanes"
    if all(_is_outside(index, loop) for index in op.indices):
        return None
    if type_.where == GLOBAL or any(not isinstance(extent, int) for extent in type_.shape):
        return "states of a length known only when the kernel runs as a tree of lanes"
    if _size(type_.shape) * width > MOST_STATES:
        return f"more than {MOST_STATES} states as a tree of lanes"
    return None


def _several(loop: ForOp) -> str | None:
    """Why states that are folded into at several places cannot be those of lanes."""
    places: dict[SSAValue, set[tuple[SSAValue, ...]]] = {}
    for op in inner_ops(loop):
        if isinstance(op, FoldOp) and not _is_private(op.states, loop) and not is_queue(op.states):
            places.setdefault(op.states, set()).add(tuple(op.indices))
    for states, found in places.items():
        type_ = states.type
        assert isinstance(type_, AccType)
        if len(found) > 1 and any(not isinstance(extent, int) for extent in type_.shape):
            return "several states of a length known only when the kernel runs"
    return None


def _is_outside(index: SSAValue, loop: ForOp) -> bool:
    """Whether an index is worked out before a loop."""
    owner = index.owner
    parent = owner.parent_op() if isinstance(owner, Block) else owner
    if parent is loop:
        return False
    return parent is None or not is_inside(parent, loop)
