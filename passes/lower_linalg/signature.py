"""What the function of a step takes and gives.

Arguments: each run-time dim of the pipeline that is not derived, then each dense tensor that the step reads or writes,
both in the order of the declarations, then each value of a statement that is left out. Results: the outputs, then the
memories' new values, both in program order.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from xdsl.dialects.builtin import DYNAMIC_INDEX, IndexType, i32
from xdsl.dialects.builtin import TensorType as UpstreamTensorType
from xdsl.ir import Attribute, Operation, SSAValue

from hetc.dialects.mp import CommitOp, GetOp, OutputOp, StepOp, TensorType, enclosing_pipeline
from hetc.passes.lower_linalg.elements import storage_type


@dataclass(frozen=True)
class Argument:
    """kind: `dim` (index), `lengths` (of a dim per another: tensor<?xi32>), `tensor` (declared) or `value` (what a
    statement that is left out would have made). value: that value. name: the dim's, the tensor's, or the value's."""

    name: str
    kind: Literal["dim", "lengths", "tensor", "value"]
    type: Attribute
    value: SSAValue | None = None


@dataclass(frozen=True)
class Result:
    """An output, or what a memory holds after the step."""

    name: str
    kind: Literal["output", "memory"]
    op: OutputOp | CommitOp


def arguments_of(step: StepOp, left_out: Collection[Operation] = ()) -> list[Argument]:
    """The arguments of the step's function where these statements are left out."""
    pipeline = enclosing_pipeline(step)
    found: list[Argument] = []
    for name, dim in pipeline.dims.items():
        if dim.is_static or dim.derived is not None:
            continue
        if dim.per is None:
            found.append(Argument(name, "dim", IndexType()))
        else:
            found.append(Argument(name, "lengths", UpstreamTensorType(i32, [DYNAMIC_INDEX])))
    touched = {op.declared.data for op in step.body.block.ops if isinstance(op, GetOp | CommitOp)}
    for name, declared in pipeline.declarations.items():
        if name in touched and not declared.type.is_sparse:
            found.append(Argument(name, "tensor", upstream_type(declared.type)))
    for op in step.body.block.ops:
        if op in left_out and not isinstance(op, GetOp):
            for value in op.results:
                assert isinstance(value.type, TensorType)
                if not value.type.is_sparse:
                    name = value.name_hint or f"{op.name}#{value.index}"
                    found.append(Argument(name, "value", upstream_type(value.type), value))
    return found


def results_of(step: StepOp, left_out: Collection[Operation] = ()) -> list[Result]:
    """The results of the step's function where these statements are left out."""
    ops = [op for op in step.body.block.ops if op not in left_out]
    outputs = [Result(op.output.data, "output", op) for op in ops if isinstance(op, OutputOp)]
    return outputs + [Result(op.declared.data, "memory", op) for op in ops if isinstance(op, CommitOp)]


def upstream_type(type: TensorType) -> UpstreamTensorType:
    """`tensor<?x128xbf16>` for a dense `!mp.tensor<[T, 128], bf16>`."""
    shape = [size if isinstance(size, int) else DYNAMIC_INDEX for size in type.shape]
    return UpstreamTensorType(storage_type(type.element), shape)
