"""The states of lanes, joined.

nest.join   the states of so many lanes, as a tree of fixed shape, in one state
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import IndexType
from xdsl.ir import SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.nest.types import AccType


@irdl_op_definition
class JoinOp(IRDLOperation):
    """`nest.join %lanes[%r] into %sum[%r] : type, type`: the n states of the last dim of `part`, at the indices of the
    dims before it, joined in pairs, state l with state l + n / 2, until one is left, which is put behind what the state
    has. n is a power of two. Both are states of one combiner."""

    name = "nest.join"
    part = operand_def(AccType)
    part_indices = var_operand_def(IndexType())
    states = operand_def(AccType)
    indices = var_operand_def(IndexType())
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    assembly_format = (
        "$part `[` $part_indices `]` `into` $states `[` $indices `]` attr-dict `:` type($part) `,` type($states)"
    )

    def __init__(
        self, part: SSAValue, part_indices: Sequence[SSAValue], states: SSAValue, indices: Sequence[SSAValue] = ()
    ):
        super().__init__(operands=[[part], part_indices, [states], indices])

    @property
    def count(self) -> int:
        """How many states are joined."""
        type_ = self.part.type
        assert isinstance(type_, AccType)
        last = type_.shape[-1]
        assert isinstance(last, int)
        return last

    def verify_(self) -> None:
        part, into = self.part.type, self.states.type
        assert isinstance(part, AccType) and isinstance(into, AccType)
        count = part.shape[-1] if part.shape else 0
        if not isinstance(count, int) or count < 2 or count & (count - 1):
            raise VerifyException(f"nest.join: the last dim of {part} is no power of two")
        if len(self.part_indices) != len(part.shape) - 1 or len(self.indices) != len(into.shape):
            raise VerifyException("nest.join: an index for each dim, the last one of the part apart")
        if part.combiner != into.combiner:
            raise VerifyException(f"nest.join: {part.combiner} into {into.combiner}")
