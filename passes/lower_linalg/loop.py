"""Loops over layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects.builtin import IndexType
from xdsl.dialects.tensor import FromElementsOp
from xdsl.ir import Block, SSAValue

from hetc.dialects.mp import ForOp, TensorType
from hetc.passes.lower_linalg.builder import Size, tensor_of
from hetc.passes.lower_linalg.step import Step


def lower_loop(step: Step, op: ForOp, statements: Callable[[Block], None]) -> list[SSAValue]:
    """An scf.for that carries the live parts of what is carried, and the tensors whose layers are written; a pass cuts
    its layers out, and puts the new ones in."""
    builder = step.builder
    wholes = [step.tensors[op.sliced[position]] for position in op.written_positions]

    def turn(number: SSAValue, values: list[SSAValue]) -> Sequence[SSAValue]:
        step.tensors[op.number] = builder.add(FromElementsOp(number, result_type=tensor_of((), IndexType())))
        step.tensors.update(zip(op.carried_arguments, values, strict=False))
        written = dict(zip(op.written_positions, values[len(op.carried) :], strict=True))
        for position, (argument, source) in enumerate(zip(op.layer_arguments, op.sliced, strict=True)):
            step.tensors[argument] = _layer(step, argument, written.get(position, step.tensors[source]), number)
        statements(op.body.block)
        layers = [
            builder.inserted(step.live(layer), written[position], *_place(step, layer, number))
            for position, layer in zip(op.written_positions, op.next.layers, strict=True)
        ]
        return [*map(step.live, op.next.carried), *layers]

    made = builder.loop(op.passes, [*map(step.live, op.carried), *wholes], turn)
    for before, after in zip(wholes, made[len(op.carried) :], strict=True):
        step.written(before, after)
    return made


def _layer(step: Step, argument: SSAValue, source: SSAValue, number: SSAValue) -> SSAValue:
    offsets, sizes = _place(step, argument, number)
    return step.builder.sliced(source, offsets, sizes, kept=sizes[1:])


def _place(step: Step, layer: SSAValue, number: SSAValue) -> tuple[list[Size], list[Size]]:
    """Where a layer's live part lies in the whole tensor: offsets and sizes."""
    assert isinstance(layer.type, TensorType)
    sizes: list[Size] = [1, *step.extents.sizes(layer.type.shape)]
    return [number, *(0 for _ in layer.type.shape)], sizes
