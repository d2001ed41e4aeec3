"""What the operands of a kernel are: declared tensors, layers of them, or what was computed."""

from __future__ import annotations

from xdsl.ir import SSAValue

from hetc.dialects.mp import WRITES_IN_PLACE, TensorType, loop_of
from hetc.dialects.task import TransferOp


def resident(value: SSAValue) -> int:
    """How many tensors of the value's size lie in a device's memory at once: all layers, where it is one of them."""
    return source_of(value)[1]


def source_of(value: SSAValue) -> tuple[SSAValue, int]:
    """What a value is or is a layer of, and how many layers that has."""
    layers = 1
    while True:
        loop = loop_of(value)
        if loop is not None and value in loop.layer_arguments:
            value = loop.arguments[value]
            assert isinstance(value.type, TensorType)
            layers *= int(value.type.shape[0])
        elif isinstance(value.owner, WRITES_IN_PLACE):
            value = value.owner.memory
        elif isinstance(value.owner, TransferOp):
            value = value.owner.value
        else:
            return value, layers
