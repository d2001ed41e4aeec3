"""What the values of a host program lie in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from xdsl.ir import SSAValue

from hetc.dialects.host.data import AppendOp, CopyOp, InputOp, MemoryOp, ScatterOp
from hetc.dialects.host.loop import LayerOp
from hetc.dialects.host.types import BufferType
from hetc.dialects.mp import DeclareOp, TensorType, dtype_name


def buffer_of(value: SSAValue) -> SSAValue:
    """The value that first named the buffer: some ops write in place, a layer is a part."""
    while isinstance(value.owner, AppendOp | ScatterOp | LayerOp):
        value = value.owner.value if isinstance(value.owner, LayerOp) else value.owner.memory
    return value


def stays(copy: CopyOp, declarations: Mapping[str, DeclareOp]) -> bool:
    """Whether a copy is kept from call to call: that of a memory, and that of a weight of constant extents. One whose
    layers lie apart from those of the source is made anew."""
    source = buffer_of(copy.value).owner
    types = (cast(BufferType, copy.value.type), cast(BufferType, copy.result.type))
    if not isinstance(source, InputOp | MemoryOp) or any(type.depth for type in types):
        return False
    declared = declarations[source.declared.data]
    constant = all(isinstance(size, int) for size in declared.type.shape)
    return declared.role.data == "memory" or (declared.role.data == "weight" and constant)


def described(type: TensorType) -> str:
    """`bf16[B, T, 128]`, as the language writes it."""
    sparse, type = "sparse " if type.is_sparse else "", type.decoded
    return f"{sparse}{dtype_name(type.element)}[{', '.join(map(str, type.shape))}]"
