"""The nest dialect: a kernel as loops over buffers, the form in which kernels are scheduled, priced and printed.

`kernel` holds the frame, `structure` the loops, `memory` what they read and write, `accumulate` the states of combiners
(`combiners`), `effects` what ops do to both, `joining` and `lanes` what lanes are, `types` the types, `legality` and
`streams` the rules between ops, `linear` indices as sums.
"""

from xdsl.ir import Dialect

from hetc.dialects.nest.accumulate import (
    AccOp,
    ArrangeOp,
    EntryOp,
    FinishOp,
    FoldOp,
    MergeOp,
    OfferedOp,
    is_queue,
)
from hetc.dialects.nest.combiners import Build, Built, Combiner, CombinerAttr, Field, combiner_of
from hetc.dialects.nest.effects import (
    Access,
    Touch,
    accesses,
    accesses_inside,
    inner_ops,
    ops_in,
    touches,
    touches_inside,
)
from hetc.dialects.nest.joining import JoinOp
from hetc.dialects.nest.kernel import KernelOp
from hetc.dialects.nest.lanes import is_in_line, is_lockstep, not_in_lanes, own_values
from hetc.dialects.nest.legality import (
    dependence,
    fused_dependence,
    meeting_accesses,
    order_of_passes,
    unawaited,
)
from hetc.dialects.nest.linear import Form, form_of, is_inside
from hetc.dialects.nest.memory import BufferOp, FindOp, LoadOp, PopOp, PushOp, ReadOp, StoreOp
from hetc.dialects.nest.structure import EntriesOp, ForOp, PhaseOp, YieldOp, number_of
from hetc.dialects.nest.types import (
    GLOBAL,
    LOCAL,
    PARALLEL,
    PIPELINE,
    REGISTER,
    STREAM,
    UNROLL,
    VECTOR,
    AccType,
    BindAttr,
    BufferType,
)

NEST = Dialect(
    "nest",
    [
        KernelOp, PhaseOp, ForOp, EntriesOp, YieldOp, ReadOp, FindOp, BufferOp, LoadOp, StoreOp, PushOp, PopOp, AccOp,
        FoldOp, MergeOp, JoinOp, FinishOp, ArrangeOp, EntryOp, OfferedOp,
    ],
    [BufferType, AccType, BindAttr, CombinerAttr],
)  # fmt: skip

__all__ = [
    "GLOBAL", "LOCAL", "NEST", "PARALLEL", "PIPELINE", "REGISTER", "STREAM", "UNROLL", "VECTOR", "AccOp", "AccType",
    "Access", "ArrangeOp", "BindAttr", "BufferOp", "BufferType", "Build", "Built", "Combiner", "CombinerAttr",
    "EntriesOp", "EntryOp", "Field", "FindOp", "FinishOp", "FoldOp", "ForOp", "Form", "JoinOp", "KernelOp", "LoadOp",
    "MergeOp", "OfferedOp", "PhaseOp", "PopOp", "PushOp", "ReadOp", "StoreOp", "Touch", "YieldOp", "accesses",
    "accesses_inside", "combiner_of", "dependence", "form_of", "fused_dependence", "inner_ops", "is_in_line",
    "is_inside", "is_lockstep", "is_queue", "meeting_accesses", "not_in_lanes", "number_of", "ops_in",
    "order_of_passes", "own_values", "touches", "touches_inside", "unawaited",
]  # fmt: skip
