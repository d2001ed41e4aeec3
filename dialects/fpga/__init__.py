"""The fpga dialect: kernels as processes, FIFOs, ports and on-chip memory, with every decision in attributes.

`structure` holds the frame, `processes` what runs in it, `onchip` memory on the chip, `control`, `access` and
`queues` what a process does, `types` the types. An HLS C++ backend only prints it.
"""

from xdsl.ir import Dialect

from hetc.dialects.fpga.access import LaneOp, LoadAtOp, LoadOp, LowerBoundOp, ReadOp, StoreOp, WriteOp
from hetc.dialects.fpga.control import LanesOp, LoopOp, YieldOp
from hetc.dialects.fpga.onchip import ArrayOp, QueueOp, TableOp
from hetc.dialects.fpga.processes import (
    DataflowOp,
    InstanceOp,
    IsolatedOp,
    ProcessOp,
    StreamOp,
    isolated_block,
    stream_accesses,
)
from hetc.dialects.fpga.queues import ArrangeOp, EntryOp, PushOp, TakenOp
from hetc.dialects.fpga.structure import KernelOp, PortOp, ScalarOp
from hetc.dialects.fpga.types import (
    ArrayType,
    PointerType,
    QueueType,
    StreamType,
    WordType,
    element_bits,
    value_type,
)

FPGA = Dialect(
    "fpga",
    [
        KernelOp, PortOp, ScalarOp, ProcessOp, InstanceOp, DataflowOp, StreamOp, ArrayOp, TableOp, QueueOp,
        LoopOp, LanesOp, YieldOp, LoadOp, LoadAtOp, StoreOp, LaneOp, ReadOp, WriteOp, LowerBoundOp,
        PushOp, ArrangeOp, TakenOp, EntryOp,
    ],
    [WordType, PointerType, StreamType, ArrayType, QueueType],
)  # fmt: skip

__all__ = [
    "FPGA",
    "ArrangeOp",
    "ArrayOp",
    "ArrayType",
    "DataflowOp",
    "EntryOp",
    "InstanceOp",
    "IsolatedOp",
    "KernelOp",
    "LaneOp",
    "LanesOp",
    "LoadAtOp",
    "LoadOp",
    "LoopOp",
    "LowerBoundOp",
    "PointerType",
    "PortOp",
    "ProcessOp",
    "PushOp",
    "QueueOp",
    "QueueType",
    "ReadOp",
    "ScalarOp",
    "StoreOp",
    "StreamOp",
    "StreamType",
    "TableOp",
    "TakenOp",
    "WordType",
    "WriteOp",
    "YieldOp",
    "element_bits",
    "isolated_block",
    "stream_accesses",
    "value_type",
]
