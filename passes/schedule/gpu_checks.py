"""What a task kernel must look like to be lowered for a GPU."""

from __future__ import annotations

from xdsl.dialects import arith
from xdsl.dialects.builtin import f32
from xdsl.utils.exceptions import PassFailedException

from hetc.dialects.locations import source_line
from hetc.dialects.mp import LARGEST_EXTENT, ComputeOp, ConstantOp, Intervals, RangedOp, SelectOp, TopkOp
from hetc.dialects.task import KernelOp, ReturnOp
from hetc.passes.schedule.model import Refused, unreadable

SCORE_BITS = 39
"""An integer score of a selection may have so many bits (signed): one fewer than its key."""
_STATEMENTS = (ComputeOp, TopkOp, SelectOp, ConstantOp, ReturnOp)


def _names(dialect: str, names: str) -> frozenset[str]:
    return frozenset(f"{dialect}.{name}" for name in names.split())


_REGION_OPS = (
    _names("arith", "addf subf mulf divf negf maximumf minimumf addi subi muli floordivsi maxsi minsi andi ori xori")
    | _names("arith", "shli shrui shrsi cmpf cmpi select sitofp fptosi index_cast extsi extui trunci bitcast constant")
    | _names("math", "exp log sqrt rsqrt absf absi tanh sin cos erf floor ceil roundeven atan2 powf")
    | _names("mp", "read read_stored reduce dim_size round mod yield")
)
_INTEGER_PREDICATES = range(6)  # eq, ne and the signed ones
_FLOAT_PREDICATES = (1, 2, 3, 4, 5, 13)  # oeq, ogt, oge, olt, ole, une


class GpuRefused(Refused, PassFailedException):
    """A kernel that a GPU cannot run; as text with its place."""

    def __str__(self) -> str:
        place = source_line(self.op)
        return f"{place + ': ' if place else ''}refused on the GPU: {self.reason}"


def check_kernel(kernel: KernelOp) -> None:
    """Raises GpuRefused for a kernel that returns what it did not compute, and for what a region may not hold."""
    _check_returned(kernel)
    for argument in kernel.block.args:
        reason = unreadable(argument.type)  # type: ignore[arg-type]
        if reason:
            raise GpuRefused(reason, kernel)
    for op in kernel.block.ops:
        if not isinstance(op, _STATEMENTS):
            raise GpuRefused(f"{op.name} must have been expanded, or stand outside of kernels", op)
        if isinstance(op, TopkOp | SelectOp):
            _check_score(op)
        if isinstance(op, RangedOp):
            _check_region(op)


def _check_returned(kernel: KernelOp) -> None:
    seen = set()
    for value in kernel.returned.values:
        if value in kernel.block.args:
            raise GpuRefused("a kernel that returns its operand computes nothing", kernel)
        if value in seen:
            raise GpuRefused("a kernel cannot return one value twice", kernel)
        if isinstance(value.owner, ConstantOp):
            raise GpuRefused("a kernel cannot return a constant table", value.owner)
        seen.add(value)


def _check_score(op: TopkOp | SelectOp) -> None:
    score = op.yielded.value
    if score.type == f32:
        return
    if not Intervals(lambda dim: LARGEST_EXTENT).of(score).fits(SCORE_BITS):
        raise GpuRefused(f"a selection by scores of type {score.type} that may need more than {SCORE_BITS} bits", op)


def _check_region(statement: RangedOp) -> None:
    for op in statement.walk():
        if op is not statement and op.name not in _REGION_OPS:
            raise GpuRefused(f"{op.name} has no form in a GPU kernel", op)
        allowed = _INTEGER_PREDICATES if isinstance(op, arith.CmpiOp) else _FLOAT_PREDICATES
        if isinstance(op, arith.CmpiOp | arith.CmpfOp) and op.predicate.value.data not in allowed:
            raise GpuRefused(f"{op.name} with predicate {op.predicate.value.data} has no form in a GPU kernel", op)
