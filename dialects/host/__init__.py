"""The host dialect: what the host does in one call of a step, in order.

`structure` holds the frame, kernels, launches and waits, `data` where values come from and what becomes of them,
`loop` what happens once a pass, `types` the type of a tensor in a device's memory, `buffers` what values lie in.
"""

from xdsl.ir import Dialect

from hetc.dialects.host.buffers import buffer_of, described, stays
from hetc.dialects.host.data import (
    AllocateOp,
    AppendOp,
    ClearOp,
    CommitOp,
    ConstantOp,
    CopyOp,
    InputOp,
    MemoryOp,
    OutputOp,
    ScatterOp,
)
from hetc.dialects.host.loop import ForOp, LayerOp, PassOp, StoreOp
from hetc.dialects.host.structure import KernelOp, LaunchOp, ProgramOp, StepOp, WaitOp
from hetc.dialects.host.types import HOST_KIND, BufferType

HOST = Dialect(
    "host",
    [
        ProgramOp, StepOp, InputOp, MemoryOp, ConstantOp, AllocateOp, CopyOp, KernelOp, LaunchOp, WaitOp, AppendOp,
        ScatterOp, ClearOp, CommitOp, OutputOp, ForOp, PassOp, LayerOp, StoreOp,
    ],
    [BufferType],
)  # fmt: skip

__all__ = [
    "HOST", "HOST_KIND", "AllocateOp", "AppendOp", "BufferType", "ClearOp", "CommitOp", "ConstantOp", "CopyOp", "ForOp",
    "InputOp", "KernelOp", "LaunchOp", "LayerOp", "MemoryOp", "OutputOp", "PassOp", "ProgramOp", "ScatterOp", "StepOp",
    "StoreOp", "WaitOp", "buffer_of", "described", "stays",
]  # fmt: skip
