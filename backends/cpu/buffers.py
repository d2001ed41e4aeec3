"""What printing a buffer asks: how its elements lie, and where its first value and its loads may stand."""

from __future__ import annotations

from xdsl.dialects import arith
from xdsl.ir import Operation, SSAValue

from hetc.backends.cpu.places import value_type
from hetc.backends.cxx import c_types
from hetc.dialects import nest
from hetc.dialects.mp import WideIndexType, compute_type


def first_store(op: nest.BufferOp) -> nest.StoreOp | None:
    """The store that gives a variable its first value, where only a constant stands between the two."""
    following = op.next_op
    while isinstance(following, arith.ConstantOp):
        following = following.next_op
    if isinstance(following, nest.StoreOp) and following.buffer is op.result:
        return following if isinstance(following.value.owner, arith.ConstantOp) else None
    return None


def buffer_type(value: SSAValue) -> nest.BufferType:
    type_ = value.type
    assert isinstance(type_, nest.BufferType)
    return type_


def is_value(type: nest.BufferType) -> bool:
    """Whether a buffer's elements lie as the numbers that they are loaded as."""
    return compute_type(type.element) == type.element or isinstance(type.element, WideIndexType)


def stored_type(type: nest.BufferType) -> str:
    if type.where == nest.REGISTER and not type.shape and is_value(type):
        return value_type(compute_type(type.element))
    return c_types.storage(type.element)


def unchanged_until_used(op: nest.LoadOp) -> bool:
    """Whether no other op of the block changes anything between a load and where its text would stand."""
    user: Operation = op
    while True:
        uses = list(user.results[0].uses) if len(user.results) == 1 else []
        if len(uses) != 1 or uses[0].operation.parent_block() is not op.parent_block():
            break
        user = uses[0].operation
        if _changes(user):
            break
    between = op.next_op
    while between is not None and between is not user:
        if _changes(between):
            return False
        between = between.next_op
    return between is user


def _changes(op: Operation) -> bool:
    """Whether an op may write something, or holds others that may."""
    return bool(op.regions) or any(access.writes for access in nest.accesses(op))
