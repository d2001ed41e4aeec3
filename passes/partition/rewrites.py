"""The copies that a host program makes within the memory of one device: of what loops carry, of the new contents of
layers, and of tensors whose layers lie apart for those who want them in one piece, or the other way round."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xdsl.ir import Block, Operation, SSAValue

from hetc.dialects.mp import CommitOp, ForOp, PipelineOp, ScatterOp, TensorType, in_order
from hetc.dialects.task import KernelOp
from hetc.passes.analysis.layering import Layering
from hetc.passes.analysis.versions import Versions
from hetc.passes.partition.places import Places


@dataclass(frozen=True)
class Rewrite:
    """A tensor that is copied where it lies, each time that `op` is executed: on the device `kind`."""

    op: Operation
    value: SSAValue
    kind: str


def rewrites(pipeline: PipelineOp) -> Iterator[Rewrite]:
    """Those of a pipeline after `insert-transfers`, as `lower-to-host` emits them. Copies between a buffer that is
    striped over memory channels and one that is not, or otherwise, are not among them."""
    layering = None
    for step in pipeline.steps.values():
        block = step.body.block
        # Nothing else is kept by layers or in two versions.
        if any(isinstance(op, ForOp | ScatterOp) for op in in_order(block)):
            layering = layering or Layering(pipeline)
            yield from _Step(layering, Places(pipeline), Versions(step)).block(block, set())


class _Step:
    def __init__(self, layering: Layering, places: Places, versions: Versions) -> None:
        self.layering, self.places, self.versions = layering, places, versions

    def block(self, block: Block, copied: set[tuple[SSAValue, int]]) -> Iterator[Rewrite]:
        """copied: values that there is a copy of at this point, and the depth of that."""
        for op in block.ops:
            if isinstance(op, ForOp):
                yield from self._loop(op, copied)
            elif isinstance(op, KernelOp):
                for value in op.arguments:
                    yield from self._copied(op, value, 0, copied)
            elif isinstance(op, ScatterOp) and not self.versions.in_place(op):
                yield self._rewrite(op, op.memory)
            elif isinstance(op, CommitOp):
                yield from self._copied(op, op.value, self.layering.memory(op.declared.data), copied)

    def _rewrite(self, op: Operation, value: SSAValue) -> Rewrite:
        return Rewrite(op, value, self.places.of(value))

    def _copied(
        self, op: Operation, value: SSAValue, depth: int, copied: set[tuple[SSAValue, int]]
    ) -> Iterator[Rewrite]:
        """The copy of a value with layers of this depth, where it lies otherwise and there is none yet."""
        if self.layering.depth(value) != depth and (value, depth) not in copied:
            copied.add((value, depth))
            yield self._rewrite(op, value)

    def _loop(self, op: ForOp, copied: set[tuple[SSAValue, int]]) -> Iterator[Rewrite]:
        for begin in op.carried:
            yield self._rewrite(op, begin)
        for position, tensor in enumerate(op.sliced):
            yield from self._copied(op, tensor, self.layering.sliced(op, position), copied)
        yield from self.block(op.body.block, set(copied))
        for number, position in enumerate(op.written_positions):
            value, layer = op.next.layers[number], op.layer_arguments[position]
            if not self.versions.written_in_place(value, layer) and not self._made_in_layer(op, number):
                yield self._rewrite(op.next, value)
        for value, argument in zip(op.next.carried, op.carried_arguments, strict=True):
            if not self.versions.written_in_place(value, argument):
                yield self._rewrite(op.next, value)
                # Of what another name carries there is a copy first: that buffer is about to change.
                if any(self.versions.written_in_place(value, other) for other in op.carried_arguments):
                    yield self._rewrite(op.next, value)

    def _made_in_layer(self, op: ForOp, number: int) -> bool:
        """Whether what a pass makes as the new contents of a layer lies as the layer does, and is made there."""
        value, position = op.next.layers[number], op.written_positions[number]
        assert isinstance(value.type, TensorType)
        plain = value.type == op.layer_arguments[position].type
        same_depth = self.layering.depth(value) == self.layering.depth(op.layer_arguments[position])
        return plain and same_depth and self.versions.made_in_layer(op, number)
