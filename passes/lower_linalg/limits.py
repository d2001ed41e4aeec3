"""What upstream dialects cannot express, as data: each construct with the reason, and where a module has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xdsl.dialects.builtin import ModuleOp, f32, i1
from xdsl.ir import Operation, SSAValue

from hetc.dialects.locations import source_line
from hetc.dialects.mp import (
    AppendOp,
    ClearOp,
    CommitOp,
    ComputeOp,
    ConstantOp,
    DimSizeOp,
    ForOp,
    GetOp,
    NextOp,
    OutputOp,
    PipelineOp,
    RangedOp,
    ReadOp,
    ReduceOp,
    ScatterOp,
    SelectOp,
    TensorType,
    TopkOp,
    YieldOp,
)
from hetc.passes.lower_linalg.scalars import is_scalar

STATEMENTS = (GetOp, ComputeOp, TopkOp, SelectOp, ConstantOp, AppendOp, ScatterOp, ForOp, NextOp, CommitOp, OutputOp)
_IN_REGIONS = (ReadOp, ReduceOp, DimSizeOp, YieldOp)


@dataclass(frozen=True)
class Limit:
    """A construct that is left out, why, and whether an op (a statement, or one in its region) is it."""

    construct: str
    reason: str
    found: Callable[[Operation], bool]


@dataclass(frozen=True)
class LeftOut:
    """A statement that is not lowered. `cause` is the op in it (or itself) that meets the limit."""

    statement: Operation
    cause: Operation
    limit: Limit

    @property
    def line(self) -> str:
        """`scan.mp:31`, or "" for an op that came from no file."""
        return source_line(self.statement)

    @property
    def operation(self) -> str:
        """`mp.append`, or `mp.compute (mp.read_stored)` where the cause stands inside."""
        return self.statement.name + ("" if self.cause is self.statement else f" ({self.cause.name})")

    def __str__(self) -> str:
        return f"{self.operation}: {self.limit.construct}: {self.limit.reason}"


def left_out(module: ModuleOp) -> list[LeftOut]:
    """The statements of every step that have no upstream form, in program order."""
    steps = [step for op in module.body.block.ops if isinstance(op, PipelineOp) for step in op.steps.values()]
    found = [_first_limit(statement) for step in steps for statement in step.body.block.ops]
    return [item for item in found if item is not None]


def _first_limit(statement: Operation) -> LeftOut | None:
    for op in statement.walk():
        for limit in LIMITS:
            if limit.found(op):
                return LeftOut(statement, op, limit)
    return None


def _is_sparse(op: Operation) -> bool:
    values: tuple[SSAValue, ...] = (*op.operands, *op.results)
    return any(isinstance(value.type, TensorType) and value.type.is_sparse for value in values)


def _is_foreign_reduction(op: Operation) -> bool:
    if not isinstance(op, ReduceOp):
        return False
    value, kind = op.yielded.value.type, op.kind.data
    return (kind == "mean" and value != f32) or (value == i1 and kind not in ("any", "all", "count"))


def _is_unknown(op: Operation) -> bool:
    if isinstance(op, STATEMENTS):
        return False
    in_region = isinstance(op.parent_op(), RangedOp | ReduceOp)
    return not (in_region and (isinstance(op, _IN_REGIONS) or is_scalar(op)))


LIMITS = (
    Limit("`clear`", "a function takes the lengths of dims and gives none", lambda op: isinstance(op, ClearOp)),
    Limit("a sparse tensor", "no upstream op tells whether the element at a computed place is stored", _is_sparse),
    Limit(
        "a reduction that the language does not have",
        "`mean` is of f32; conditions are combined by `any`, `all` and `count`",
        _is_foreign_reduction,
    ),
    Limit("an operation that is not of the expanded form", "it has no lowering to upstream dialects", _is_unknown),
)
"""In the order in which they are looked for."""
