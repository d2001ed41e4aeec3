"""Warns of outputs of integers that were read through picks: where nothing was picked they hold 0, which is an id like
any other."""

from __future__ import annotations

from collections.abc import Iterable

from xdsl.dialects import arith
from xdsl.dialects.builtin import IntegerType, i1
from xdsl.ir import Block, Operation, SSAValue

from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.syntax import ast
from hetc.dialects.mp import (
    ComputeOp,
    OutputOp,
    PresentOp,
    ReadOp,
    ReadStoredOp,
    ReduceOp,
    SelectOp,
    TensorType,
    TopkOp,
    YieldOp,
    in_order,
)

Missing = frozenset[frozenset[SSAValue]]
"""Why a value may be missing: of each pick that it hangs on, the indices that the pick mentions."""
NONE: Missing = frozenset()


def warn_of_missing_picks(block: Block, outputs: Iterable[ast.Output], environment: Environment) -> None:
    """Warn of each output of a step's block."""
    picks = _Picks()
    spans = {output.name: output.span for output in outputs}
    for statement in in_order(block):
        picks.visit(statement)
        if isinstance(statement, OutputOp) and picks.may_miss(statement):
            name = statement.output.data
            message = f"`{name}` holds integers that are read through picks: 0 where nothing was picked"
            help = f"say what stands there, such as -1: `coalesce(..., -1)` in the definition of `{name}`"
            environment.diagnostics.warning("HET111", message, spans[name], help=help)


class _Picks:
    """Visits statements in program order. `tensors`: for each whose elements may be missing, the positions of the
    indices that each pick mentions."""

    def __init__(self) -> None:
        self.tensors: dict[SSAValue, frozenset[frozenset[int]]] = {}
        self.values: dict[SSAValue, Missing] = {}

    def may_miss(self, output: OutputOp) -> bool:
        type_ = output.value.type
        assert isinstance(type_, TensorType)
        return isinstance(type_.element, IntegerType) and type_.element != i1 and output.value in self.tensors

    def visit(self, statement: Operation) -> None:
        if isinstance(statement, TopkOp | SelectOp):
            everywhere = frozenset(range(len(statement.ranges)))
            self.tensors[statement.indices] = frozenset({everywhere})
        elif isinstance(statement, ComputeOp):
            positions: dict[SSAValue, int] = {index: place for place, index in enumerate(statement.body.block.args)}
            missing = self._region(statement.body.block)
            found = frozenset(frozenset(positions[index] for index in mentioned) for mentioned in missing)
            if found:
                self.tensors[statement.result] = found

    def _region(self, block: Block) -> Missing:
        """Why the value that a region ends with may be missing."""
        for op in block.ops:
            if isinstance(op, YieldOp):
                return self._of(op.value) | (NONE if op.present is None else self._of(op.present))
            missing = self._op(op)
            self.values.update((result, missing) for result in op.results if missing)
        raise AssertionError("a region ends in mp.yield")

    def _op(self, op: Operation) -> Missing:
        if isinstance(op, PresentOp):
            return NONE
        if isinstance(op, arith.SelectOp) and isinstance(op.cond.owner, PresentOp):
            return self._of(op.rhs)
        found = NONE.union(*map(self._of, op.operands))
        if isinstance(op, ReduceOp):
            inside, index = self._region(op.body.block), op.body.block.args[0]
            return found | {mentioned for mentioned in inside if index not in mentioned}
        if isinstance(op, ReadOp | ReadStoredOp):
            return found | {
                frozenset().union(*(_indices(op.indices[position]) for position in positions))
                for positions in self.tensors.get(op.tensor, ())
            }
        return found

    def _of(self, value: SSAValue) -> Missing:
        return self.values.get(value, NONE)


def _indices(value: SSAValue) -> frozenset[SSAValue]:
    """The indices that an expression mentions."""
    owner = value.owner
    if isinstance(value.type, TensorType):
        return frozenset()
    if isinstance(owner, Block):
        return frozenset({value})
    inside = {argument for op in owner.walk() for region in op.regions for argument in region.block.args}
    nested = [operand for op in owner.walk() for operand in op.operands]
    return frozenset().union(*map(_indices, nested)) - inside
