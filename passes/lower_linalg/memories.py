"""Memories and outputs: appended rows, a memory's new value, what is handed out.

A memory is a tensor of its capacity. Its new version is a tensor of the same capacity, in which nothing has changed but
what was written.
"""

from __future__ import annotations

from xdsl.dialects.arith import SubiOp
from xdsl.dialects.builtin import DYNAMIC_INDEX
from xdsl.ir import SSAValue

from hetc.dialects.mp import AppendOp, CommitOp, OutputOp, TensorType
from hetc.passes.lower_linalg.builder import Size, shape_of
from hetc.passes.lower_linalg.step import Step
from hetc.passes.normalize.rejection import rejected

FLAG = "mp-to-linalg"


def lower_append(step: Step, op: AppendOp) -> SSAValue:
    """The memory with the step's rows at the end: one tensor.insert_slice, or one a row of the dim that it is per."""
    memory, rows = _type_of(op.memory), _type_of(op.rows)
    if memory.element != rows.element:
        raise rejected(op, FLAG, f"expected rows of type {memory.element}, got {rows.element}")
    keys = memory.shape
    axis = keys.index(op.along.data)
    has_axis = rows.rank == memory.rank
    growth = step.extents.size(rows.shape[axis]) if has_axis else 1
    sizes: list[Size] = [growth if place == axis else step.extents.size(key) for place, key in enumerate(keys)]
    part, whole = step.live(op.rows), step.tensors[op.memory]
    per = step.pipeline.dims[op.along.data].per
    if per is None:
        made = step.builder.inserted(part, whole, _offsets(step, op, sizes, axis, None), sizes)
    else:
        row_dim = keys.index(per.data)
        made = _appended_to_rows(step, op, part, whole, sizes, axis, row_dim)
    return step.written(whole, made)


def lower_commit(step: Step, op: CommitOp, before: SSAValue) -> SSAValue:
    """What the memory holds after the step: a new value over the live part of what it held, `before`."""
    value = step.tensors[op.value]
    if value in step.whole or DYNAMIC_INDEX not in shape_of(value):
        return value
    sizes = step.extents.sizes(_type_of(op.value).shape)
    return step.builder.inserted(value, before, [0] * len(sizes), sizes)


def lower_output(step: Step, op: OutputOp) -> SSAValue:
    """The value's live part."""
    element = _type_of(op.value).element
    if element != op.element:
        raise rejected(op, FLAG, f"expected an output of type {op.element}, got {element}")
    return step.live(op.value)


def _type_of(value: SSAValue) -> TensorType:
    assert isinstance(value.type, TensorType)
    return value.type


def _appended_to_rows(
    step: Step, op: AppendOp, part: SSAValue, whole: SSAValue, sizes: list[Size], axis: int, row_dim: int
) -> SSAValue:
    """Each row ends elsewhere."""
    builder = step.builder
    has_axis = _type_of(op.rows).rank == len(sizes)
    # Where the rows have no dim for what grows, their own dim lies before it or has moved up by one.
    place_in_rows = row_dim if has_axis or row_dim < axis else row_dim - 1

    def turn(row: SSAValue, carried: list[SSAValue]) -> list[SSAValue]:
        one = [1 if place == row_dim else size for place, size in enumerate(sizes)]
        if has_axis and step.extents.is_per_row(_type_of(op.rows).shape[axis]):
            one[axis] = step.extents.length(_type_of(op.rows).shape[axis], row, exists=True)
        of_rows = one if has_axis else [*one[:axis], *one[axis + 1 :]]
        begins: list[Size] = [row if place == place_in_rows else 0 for place in range(len(of_rows))]
        new = builder.sliced(part, begins, of_rows)
        offsets = _offsets(step, op, one, axis, row)
        offsets[row_dim] = row
        return [builder.inserted(new, carried[0], offsets, one)]

    return builder.loop(sizes[row_dim], [whole], turn)[0]


def _offsets(step: Step, op: AppendOp, sizes: list[Size], axis: int, row: SSAValue | None) -> list[Size]:
    """Where the new rows begin: the live extent counts them already."""
    builder = step.builder
    length = step.extents.length(op.along.data, row, exists=True)
    offsets: list[Size] = [0] * len(sizes)
    offsets[axis] = builder.add(SubiOp(length, builder.index(sizes[axis])))
    return offsets
