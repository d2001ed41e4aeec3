"""The mp dialect: a memory-processing pipeline as named-index statements over dense and sparse tensors.

`structure` holds the frame (pipeline, dims, declarations, steps), `compute` the statement over named indices, `region`
what stands in it, `irregular` the operations that are not element by element, `memory` writing to memories, `loop`
loops over layers, `storage` how tensors lie in memory, `types` the types.
"""

from xdsl.ir import Dialect

from hetc.dialects.mp.compute import ComputeOp, RangedOp, index_block, tensors_read
from hetc.dialects.mp.irregular import QuantizeOp, RopeOp, SelectOp, SoftmaxOp, TopkOp
from hetc.dialects.mp.loop import (
    PASS_NUMBER,
    ForOp,
    NextOp,
    blocks_of,
    in_order,
    is_pass_number,
    layer_type,
    loop_of,
    loops_around,
    origin,
    times,
)
from hetc.dialects.mp.memory import WRITES_IN_PLACE, AppendOp, ClearOp, PutOp, ScatterOp, UpdateOp
from hetc.dialects.mp.region import (
    DimSizeOp,
    GuardOp,
    ModOp,
    ReadOp,
    ReadStoredOp,
    ReduceOp,
    RoundOp,
    YieldOp,
)
from hetc.dialects.mp.storage import DenseAttr, RowsAttr, SparseAttr
from hetc.dialects.mp.structure import (
    CommitOp,
    ConstantOp,
    DeclareOp,
    DimOp,
    GetOp,
    OutputOp,
    PipelineOp,
    StepOp,
    dim_of,
    enclosing_pipeline,
    enclosing_step,
)
from hetc.dialects.mp.types import (
    ELEMENT_TYPES,
    DimAttr,
    RangeAttr,
    TensorType,
    compute_type,
    dtype_name,
    extent,
    extent_key,
    storage_bits,
)

MP = Dialect(
    "mp",
    [
        PipelineOp, DimOp, DeclareOp, StepOp, GetOp, ConstantOp, CommitOp, OutputOp,
        ComputeOp, ReadOp, ReadStoredOp, ReduceOp, DimSizeOp, RoundOp, ModOp, GuardOp, YieldOp,
        TopkOp, SelectOp, SoftmaxOp, RopeOp, QuantizeOp, AppendOp, ClearOp, UpdateOp, PutOp, ScatterOp,
        ForOp, NextOp,
    ],
    [DimAttr, RangeAttr, DenseAttr, SparseAttr, RowsAttr, TensorType],
)  # fmt: skip

__all__ = [
    "ELEMENT_TYPES",
    "MP",
    "PASS_NUMBER",
    "WRITES_IN_PLACE",
    "AppendOp",
    "ClearOp",
    "CommitOp",
    "ComputeOp",
    "ConstantOp",
    "DeclareOp",
    "DenseAttr",
    "DimAttr",
    "DimOp",
    "DimSizeOp",
    "ForOp",
    "GetOp",
    "GuardOp",
    "ModOp",
    "NextOp",
    "OutputOp",
    "PipelineOp",
    "PutOp",
    "QuantizeOp",
    "RangeAttr",
    "RangedOp",
    "ReadOp",
    "ReadStoredOp",
    "ReduceOp",
    "RopeOp",
    "RoundOp",
    "RowsAttr",
    "ScatterOp",
    "SelectOp",
    "SoftmaxOp",
    "SparseAttr",
    "StepOp",
    "TensorType",
    "TopkOp",
    "UpdateOp",
    "YieldOp",
    "blocks_of",
    "compute_type",
    "dim_of",
    "dtype_name",
    "enclosing_pipeline",
    "enclosing_step",
    "extent",
    "extent_key",
    "in_order",
    "index_block",
    "is_pass_number",
    "layer_type",
    "loop_of",
    "loops_around",
    "origin",
    "storage_bits",
    "tensors_read",
    "times",
]
