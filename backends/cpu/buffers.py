"""What printing a buffer asks: how its elements lie, and where its first value and its loads may stand."""

from __future__ import annotations

from xdsl.dialects import arith
from xdsl.ir import Operation, SSAValue

from hetc.backends.cpu.places import value_type
from hetc.backends.cxx import c_types
from hetc.backends.cxx.expressions import without_parentheses
from hetc.dialects import nest
from hetc.dialects.mp import WideIndexType, compute_type


def first_store(op: nest.BufferOp) -> nest.StoreOp | None:
    """The store of a constant that gives a variable its first value, where only other first values stand before it."""
    following = op.next_op
    while following is not None:
        if isinstance(following, nest.StoreOp):
            if not isinstance(following.value.owner, arith.ConstantOp):
                return None
            if following.buffer is op.result:
                return following
        elif not isinstance(following, arith.ConstantOp | nest.BufferOp):
            return None
        following = following.next_op
    return None


def buffer_type(value: SSAValue) -> nest.BufferType:
    type_ = value.type
    assert isinstance(type_, nest.BufferType)
    return type_


def dims_in_order(buffer: SSAValue) -> list[int]:
    """The dims of a buffer from the outermost to the innermost as they lie in memory."""
    order = buffer.owner.order if isinstance(buffer.owner, nest.BufferOp) else None
    return list(range(len(buffer_type(buffer).shape))) if order is None else [item.value.data for item in order]


def is_value(type: nest.BufferType) -> bool:
    """Whether a buffer's elements lie as the numbers that they are loaded as."""
    return compute_type(type.element) == type.element or isinstance(type.element, WideIndexType)


def stored_type(type: nest.BufferType) -> str:
    if type.where == nest.REGISTER and not type.shape and is_value(type):
        return value_type(compute_type(type.element))
    return c_types.storage(type.element)


def assignment(name: str, value: str) -> str:
    """What gives a variable a new value; `+=` where the value adds to it."""
    added = value.removeprefix(f"{name} + ")
    if added == value:
        return f"{name} = {value};"
    return f"{name} += {without_parentheses(added)};"


def only_user(value: SSAValue) -> Operation | None:
    """The op of a value's block that alone uses it, and once."""
    users = [use.operation for use in value.uses]
    inside = len(users) == 1 and users[0].parent_block() is value.owner.parent_block()  # type: ignore[union-attr]
    return users[0] if inside else None


def is_final(op: nest.LoadOp) -> bool:
    """Whether a load is of a variable that lies as its number does, and that nothing changes any more."""
    type_, owner = buffer_type(op.buffer), op.buffer.owner
    if type_.where != nest.REGISTER or type_.shape or not is_value(type_) or not isinstance(owner, nest.BufferOp):
        return False
    block = owner.parent
    assert block is not None
    at = block.find_ancestor_op_in_block(op)
    written = [block.find_ancestor_op_in_block(use.operation) for use in op.buffer.uses if _writes(use.operation, op)]
    return at is not None and all(
        before is not None and block.get_operation_index(before) < block.get_operation_index(at) for before in written
    )


def _writes(op: Operation, load: nest.LoadOp) -> bool:
    return any(access.writes and access.target is load.buffer for access in nest.accesses(op))


def unchanged_until_used(op: nest.LoadOp) -> bool:
    """Whether no other op of the block changes what was loaded before its text would stand."""
    user: Operation = op
    while True:
        uses = list(user.results[0].uses) if len(user.results) == 1 else []
        if len(uses) != 1 or uses[0].operation.parent_block() is not op.parent_block():
            break
        user = uses[0].operation
        if user.regions or any(access.writes for access in nest.accesses(user)):
            break
    between = op.next_op
    while between is not None and between is not user:
        if _changes(between, op.buffer):
            return False
        between = between.next_op
    return between is user


def _changes(op: Operation, buffer: SSAValue) -> bool:
    """Whether an op, or one in it, may write a buffer."""
    apart = _is_local(buffer)
    written = [access.target for access in nest.accesses_inside(op) if access.writes]
    return any(target is buffer or not (apart and _is_local(target)) for target in written)


def _is_local(value: SSAValue) -> bool:
    """Whether a value is a variable or a queue: nothing else lies in its place."""
    if isinstance(value.type, nest.BufferType):
        return value.type.where == nest.REGISTER
    return isinstance(value.type, nest.AccType)


def lane_place(index: SSAValue, loop: nest.ForOp) -> int | None:
    """What an index in a step of lanes is ahead of the lane's number; None where it is none such."""
    form = nest.form_of(index, loop)
    return form.low if form is not None and form.terms == {loop.index: 1} and form.low == form.high else None


def lanes_in(buffer: SSAValue) -> int:
    """How many lanes the variables hold that a buffer in registers is made of: its last extent, where steps of lanes
    use it all or in aligned parts. 0 where it is no such buffer."""
    type_ = buffer.type
    if not isinstance(type_, nest.BufferType) or type_.where != nest.REGISTER or not type_.shape:
        return 0
    count = type_.shape[-1]
    steps = [(use.operation, loop) for use in buffer.uses if (loop := _step(use.operation, buffer)) is not None]
    assert isinstance(count, int)
    return count if steps and all(_is_aligned(op, loop, count) for op, loop in steps) else 0


def _step(op: Operation, buffer: SSAValue) -> nest.ForOp | None:
    """The loop of lanes around an access, where it does not hold the buffer too."""
    outer = op.parent_op()
    while outer is not None and not (isinstance(outer, nest.ForOp) and outer.is_bound(nest.VECTOR)):
        outer = outer.parent_op()
    holds = outer is not None and isinstance(buffer.owner, Operation) and nest.is_inside(buffer.owner, outer)
    return None if holds else outer  # type: ignore[return-value]


def _is_aligned(op: Operation, loop: nest.ForOp, count: int) -> bool:
    """Whether an access is to a part of so many lanes that a step of lanes has as one."""
    if not isinstance(op, nest.LoadOp | nest.StoreOp) or nest.own_values(loop).intersection(op.indices[:-1]):
        return False
    place, width = lane_place(op.indices[-1], loop), loop.lane_count
    whole = place == 0 and width == count
    return whole or (isinstance(op, nest.LoadOp) and place is not None and count % width == 0 and place % width == 0)
