"""Inline a statement into the one statement that reads each of its elements exactly once."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import Float32Type, ModuleOp
from xdsl.ir import SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from hetc.dialects.mp import (
    ComputeOp,
    PipelineOp,
    ReadOp,
    ScatterOp,
    StepOp,
    TensorType,
    compute_type,
    extent_key,
    in_order,
    tensors_read,
)
from hetc.passes.partition.outline import attribute


@dataclass(frozen=True)
class FuseProducersPass(ModulePass):
    """Replace the read of a producer by the producer's region.

    Before: presence is explicit; statements carry `device`.
    After: no mp.compute is left whose only use is one read, at the consumer's own free indices in the producer's
    order, by another mp.compute of the same device: the element is computed where it is read, no more often than
    before. Only values stored as they are computed (f32, i32, i64, i1, index) move: a narrower element rounds. With
    `by_stage` only into a statement of the same stage.

        %a = mp.compute [i] { ... yield %v }                    %b = mp.compute [i] { ... math.exp %v ... }
        %b = mp.compute [i] { %x = mp.read %a[%i]; exp %x } ->
    """

    name = "fuse-producers"
    by_stage: bool = False

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for pipeline in op.body.block.ops:
            if isinstance(pipeline, PipelineOp):
                for step in pipeline.steps.values():
                    _fuse_step(step, self.by_stage)


def _fuse_step(step: StepOp, by_stage: bool) -> None:
    # From the last on: of a chain each statement is copied once, into the last, not once for each that follows it.
    for producer in reversed([op for op in in_order(step.body.block) if isinstance(op, ComputeOp)]):
        read = fusible_read(producer)
        if read is not None and (not by_stage or _stage_of(read) == attribute(producer, "stage")):
            _inline(producer, read)


def _stage_of(read: ReadOp) -> str:
    consumer = read.parent_op()
    return attribute(consumer, "stage") if consumer is not None else ""


def fusible_read(producer: ComputeOp) -> ReadOp | None:
    """The read that `producer` may be inlined at, or None."""
    uses = list(producer.result.uses)
    if len(uses) != 1 or not _kept_exactly(producer.result.type):
        return None
    read = uses[0].operation
    consumer = read.parent_op()
    if not isinstance(read, ReadOp) or not isinstance(consumer, ComputeOp) or read.present is not None:
        return None
    if attribute(consumer, "device") != attribute(producer, "device") or consumer.parent is not producer.parent:
        return None
    if any(isinstance(use.operation, ScatterOp) for value in tensors_read(producer) for use in value.uses):
        return None  # what it reads may be overwritten before the consumer's turn
    own = consumer.body.block.args
    same_order = list(read.indices) == list(own)
    same_space = [extent_key(item.extent) for item in consumer.ranges] == [
        extent_key(item.extent) for item in producer.ranges
    ]
    return read if same_order and same_space else None


def _kept_exactly(type: TensorType) -> bool:
    computed = compute_type(type.element)
    return type.element == computed or isinstance(type.element, Float32Type)


def _inline(producer: ComputeOp, read: ReadOp) -> None:
    mapping: dict[SSAValue, SSAValue] = dict(zip(producer.body.block.args, read.indices, strict=True))
    ops = list(producer.body.block.ops)
    for source in ops[:-1]:
        Rewriter.insert_op(source.clone(mapping), InsertPoint.before(read))
    value = producer.yielded.value
    read.result.replace_all_uses_with(mapping.get(value, value))
    read.detach()
    read.erase()
    producer.detach()
    producer.erase()
