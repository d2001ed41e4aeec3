"""What is counted of one op: what it reads and writes in memory, and what it does with floats."""

from __future__ import annotations

from xdsl.dialects.builtin import Float32Type
from xdsl.ir import Attribute, Operation, SSAValue

from hetc.dialects import nest
from hetc.dialects.mp import TensorType, dtype_name

DECODE_OPERATIONS = {"bf16": 2, "f16": 4, "fp8": 12, "fp8e5m2": 12}
"""Of an element that is narrower than the float that it is read as."""


def decoding(op: nest.ReadOp) -> float:
    """Operations that make the number of an element: an estimate."""
    type_ = op.tensor.type
    assert isinstance(type_, TensorType)
    if not isinstance(op.result.type, Float32Type):
        return 0.0
    return DECODE_OPERATIONS.get(dtype_name(type_.element), 0)


def touched(op: Operation) -> list[SSAValue]:
    """What lies in memory of what an op reads or writes."""
    match op:
        case nest.ReadOp() | nest.FindOp():
            return [op.tensor]
        case nest.LoadOp() | nest.StoreOp():
            type_ = op.buffer.type
            assert isinstance(type_, nest.BufferType)
            return [op.buffer] if type_.where == nest.GLOBAL else []
    return []


def is_float(op: Operation) -> bool:
    types: list[Attribute] = [value.type for value in op.operands]
    if isinstance(op, nest.FoldOp):
        return any(isinstance(type_, Float32Type) for type_ in types) and not nest.is_queue(op.states)
    is_number = op.name.split(".")[0] in ("arith", "math") and op.name != "arith.select"
    return is_number and any(isinstance(type_, Float32Type) for type_ in types)
