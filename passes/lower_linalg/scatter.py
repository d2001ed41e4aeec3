"""Rows written at computed places of a memory."""

from __future__ import annotations

from xdsl.dialects.arith import DivSIOp, RemSIOp
from xdsl.dialects.builtin import IndexType
from xdsl.ir import SSAValue

from hetc.dialects.mp import ScatterOp, TensorType
from hetc.passes.lower_linalg.builder import Size
from hetc.passes.lower_linalg.step import Step


def lower_scatter(step: Step, op: ScatterOp) -> SSAValue:
    """One loop a dim of the places, and in the innermost a tensor.insert_slice where the place is not negative."""
    places, memory = op.places.type, op.memory.type
    assert isinstance(places, TensorType) and isinstance(memory, TensorType)
    numbers, rows, builder = step.live(op.places), step.live(op.rows), step.builder
    piece: list[Size] = [int(extent) for extent in memory.shape[len(op.leading) :]]

    def turn(indices: list[SSAValue], whole: SSAValue) -> SSAValue:
        if len(indices) < places.rank:
            upper = _upper(step, places, indices)
            return builder.loop(upper, [whole], lambda index, carried: [turn([*indices, index], carried[0])])[0]
        number = builder.cast(builder.extract(numbers, indices), IndexType())

        def write() -> list[SSAValue]:
            begins: list[Size] = [*indices, *(0 for _ in piece)]
            part = builder.sliced(rows, begins, [*(1 for _ in indices), *piece], kept=piece)
            offsets = [*_unravelled(step, number, op.leading), *(0 for _ in piece)]
            return [builder.inserted(part, whole, offsets, [*(1 for _ in op.leading), *piece])]

        return builder.choose(builder.less(number, 0, "sge"), [whole.type], write, lambda: [whole])[0]

    before = step.tensors[op.memory]
    return step.written(before, turn([], before))


def _upper(step: Step, places: TensorType, indices: list[SSAValue]) -> Size:
    """The extent of the next dim, of its own row where it is per a dim."""
    key = places.shape[len(indices)]
    per = step.pipeline.dims[key].per if isinstance(key, str) else None
    if per is None:
        return step.extents.size(key)
    return step.extents.length(str(key), indices[places.shape.index(per.data)], exists=True)


def _unravelled(step: Step, number: SSAValue, over: tuple[int, ...]) -> list[Size]:
    """The indices that a row-major number over some extents stands for."""
    found: list[Size] = []
    for extent in reversed(over[1:]):
        size = step.builder.index(extent)
        found.insert(0, step.builder.add(RemSIOp(number, size)))
        number = step.builder.add(DivSIOp(number, size))
    return [number, *found] if over else []
