"""A statement in index notation.

mp.compute      free indices, and the element's value as a region (see `region` for what stands in it)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from xdsl.dialects.builtin import ArrayAttr, IndexType, StringAttr
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.irdl import IRDLOperation, irdl_op_definition, prop_def, region_def, result_def
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.mp.elements import compute_type
from hetc.dialects.mp.region import YieldOp
from hetc.dialects.mp.structure import dim_of
from hetc.dialects.mp.types import DimAttr, RangeAttr, TensorType, extent_key


class RangedOp(IRDLOperation):
    """An op with indices as block arguments of its region: the free ones, then the op's own (see subclasses).

    Subclasses define `ranges` (one RangeAttr an index, in order) and the region `body`."""

    ranges = prop_def(ArrayAttr[RangeAttr])
    body = region_def("single_block")
    ENDS_IN: ClassVar[type[Operation]] = YieldOp

    @property
    def index_ranges(self) -> tuple[RangeAttr, ...]:
        return tuple(self.ranges)

    @property
    def index_names(self) -> tuple[str, ...]:
        return tuple(item.index.data for item in self.ranges)

    @property
    def yielded(self) -> YieldOp:
        last = self.body.block.last_op
        assert isinstance(last, YieldOp)
        return last

    def verify_ranges(self) -> None:
        """Block arguments, extents and `per` positions agree."""
        arguments = self.body.block.args
        if len(arguments) != len(self.ranges):
            raise VerifyException(f"{self.name}: {len(self.ranges)} ranges but {len(arguments)} block arguments")
        for position, (argument, item) in enumerate(zip(arguments, self.ranges, strict=True)):
            if argument.type != IndexType():
                raise VerifyException(f"{self.name}: index {item.index.data} is of type {argument.type}, not index")
            if isinstance(item.extent, DimAttr):
                _verify_per(self, item, dim_of(self, item.extent).per, position)
        if not isinstance(self.body.block.last_op, self.ENDS_IN):
            raise VerifyException(f"{self.name}: the region must end in {self.ENDS_IN.name}")


def _verify_per(op: RangedOp, item: RangeAttr, per: StringAttr | None, position: int) -> None:
    chosen = item.per_position
    if per is None:
        if chosen is not None:
            raise VerifyException(f"{op.name}: {item.index.data} is per an index, but its dim is not per a dim")
        return
    if chosen is None or not 0 <= chosen < len(op.ranges) or chosen == position:
        raise VerifyException(f"{op.name}: {item.index.data} must name the position of its index over {per.data}")
    if extent_key(op.index_ranges[chosen].extent) != per.data:
        raise VerifyException(f"{op.name}: {item.index.data} is per {per.data}, but index {chosen} is not over it")


def index_block(ranges: Sequence[RangeAttr]) -> Block:
    """An empty region block with one index argument a range, named after it."""
    block = Block(arg_types=[IndexType()] * len(ranges))
    for argument, item in zip(block.args, ranges, strict=True):
        argument.name_hint = item.index.data
    return block


@irdl_op_definition
class ComputeOp(RangedOp):
    """A tensor defined element by element. The result's extents are the ranges' extents, in order.

    `%s = mp.compute [#mp.range<...>, ...] { ^bb0(%b: index, %t: index): ... mp.yield %v : f32 } : !mp.tensor<...>`"""

    name = "mp.compute"
    result = result_def(TensorType)
    assembly_format = "$ranges $body attr-dict `:` type($result)"

    def __init__(self, ranges: Sequence[RangeAttr], body: Region, type: TensorType):
        super().__init__(properties={"ranges": ArrayAttr(ranges)}, regions=[body], result_types=[type])

    def verify_(self) -> None:
        self.verify_ranges()
        type_ = self.result.type
        if tuple(extent_key(item.extent) for item in self.ranges) != type_.shape:
            raise VerifyException(f"mp.compute: the ranges do not give the result's extents {type_.shape}")
        expected, got = compute_type(type_.element), self.yielded.value.type
        if expected != got:
            raise VerifyException(f"mp.compute: expected a yielded value of type {expected}, got {got}")


def tensors_read(op: Operation) -> list[SSAValue]:
    """The tensors that the regions of `op` read from outside of it, each once, in order of first use."""
    inside = set(op.walk())
    found: dict[SSAValue, None] = {}
    for nested in op.walk():
        for operand in nested.operands:
            if isinstance(operand.type, TensorType) and operand.owner not in inside:
                found[operand] = None
    return list(found)
