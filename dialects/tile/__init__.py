"""The tile dialect: GPU kernels as programs over tiles, one step above Triton's text.

`kernel` holds the frame, `memory` masked loads and stores, `compute` element-wise operations and shapes,
`collective` operations along dimensions, `types` pointers, grids and shapes.
"""

from xdsl.ir import Dialect

from hetc.dialects.tile.collective import ArgCombineOp, ArgReduceOp, CumsumOp, DotOp, HistogramOp, ReduceOp
from hetc.dialects.tile.compute import (
    BYTE,
    BroadcastOp,
    CastOp,
    CompareOp,
    DecodeOp,
    EncodeOp,
    ModOp,
    PermuteOp,
    RangeOp,
    ReshapeOp,
    WhereOp,
)
from hetc.dialects.tile.kernel import BarrierOp, KernelOp, ProgramIdOp
from hetc.dialects.tile.memory import AtomicAddOp, LoadOp, StoreOp
from hetc.dialects.tile.types import (
    SCALAR,
    GridAttr,
    PointerType,
    Shape,
    element_of,
    join_shapes,
    shape_of,
    tile_type,
)

TILE = Dialect(
    "tile",
    [
        KernelOp, ProgramIdOp, BarrierOp, LoadOp, StoreOp, AtomicAddOp,
        RangeOp, BroadcastOp, ReshapeOp, PermuteOp, WhereOp, CompareOp, CastOp, ModOp, DecodeOp, EncodeOp,
        ReduceOp, ArgReduceOp, ArgCombineOp, CumsumOp, HistogramOp, DotOp,
    ],
    [PointerType, GridAttr],
)  # fmt: skip

__all__ = [
    "BYTE",
    "SCALAR",
    "TILE",
    "ArgCombineOp",
    "ArgReduceOp",
    "AtomicAddOp",
    "BarrierOp",
    "BroadcastOp",
    "CastOp",
    "CompareOp",
    "CumsumOp",
    "DecodeOp",
    "DotOp",
    "EncodeOp",
    "GridAttr",
    "HistogramOp",
    "KernelOp",
    "LoadOp",
    "ModOp",
    "PermuteOp",
    "PointerType",
    "ProgramIdOp",
    "RangeOp",
    "ReduceOp",
    "ReshapeOp",
    "Shape",
    "StoreOp",
    "WhereOp",
    "element_of",
    "join_shapes",
    "shape_of",
    "tile_type",
]
