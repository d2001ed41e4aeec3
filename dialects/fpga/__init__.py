"""The fpga dialect: kernels as processes, FIFOs, ports and on-chip memory, with every decision in attributes.

`structure` holds the frame, `processes` what runs in it, `onchip` memory on the chip, `control`, `access` and
`queues` what a process does, `exact` sums without rounding, `types` the types. An HLS C++ backend only prints it.
"""

from xdsl.ir import Dialect

from hetc.dialects.fpga.access import JoinOp, LaneOp, LoadAtOp, LoadOp, LowerBoundOp, ReadOp, StoreOp, WriteOp
from hetc.dialects.fpga.control import LanesOp, LoopOp, YieldOp
from hetc.dialects.fpga.exact import DecodeOp, EncodeOp, FromFixedOp, IsNanOp, ProductOp, code_element, sum_type
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
    CodeType,
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
        LoopOp, LanesOp, YieldOp, LoadOp, LoadAtOp, StoreOp, LaneOp, JoinOp, ReadOp, WriteOp, LowerBoundOp,
        PushOp, ArrangeOp, TakenOp, EntryOp, EncodeOp, DecodeOp, ProductOp, IsNanOp, FromFixedOp,
    ],
    [WordType, CodeType, PointerType, StreamType, ArrayType, QueueType],
)  # fmt: skip

__all__ = [
    "FPGA",
    "ArrangeOp",
    "ArrayOp",
    "ArrayType",
    "CodeType",
    "DataflowOp",
    "DecodeOp",
    "EncodeOp",
    "EntryOp",
    "FromFixedOp",
    "InstanceOp",
    "IsNanOp",
    "IsolatedOp",
    "JoinOp",
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
    "ProductOp",
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
    "code_element",
    "element_bits",
    "isolated_block",
    "stream_accesses",
    "sum_type",
    "value_type",
]
