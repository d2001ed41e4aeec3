"""Writing to memories.

mp.append   a memory with this step's rows written
mp.update   a memory with elements written at computed places
mp.put      the end of its region: a value, the place that it goes to, and whether it goes
mp.scatter  a memory with rows written at given places: what mp.update becomes where it writes little
mp.clear    the memories along a dim emptied when the step completes
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from xdsl.dialects.builtin import ArrayAttr, IndexType, StringAttr, i1, i32, i64
from xdsl.ir import Attribute, Operation, Region, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import IsTerminator
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.mp.compute import RangedOp
from hetc.dialects.mp.elements import compute_type
from hetc.dialects.mp.structure import dim_of
from hetc.dialects.mp.types import DimAttr, RangeAttr, TensorType, extent_key

MODES = ("assign", "add")


@irdl_op_definition
class AppendOp(IRDLOperation):
    """`%m1 = mp.append %m, %rows along "T"`: the memory with the step's new rows written at the end of `T`.

    `rows` has the memory's extents without `T` when one row is appended, else with the growth in its place. For a
    sparse memory (columns along `T`) `rows` holds row numbers, [length] or [growth, length]: each appended column
    counts them, absent (negative or past the extent) ones skipped."""

    name = "mp.append"
    memory = operand_def(TensorType)
    rows = operand_def(TensorType)
    along = prop_def(StringAttr)
    result = result_def(TensorType)
    assembly_format = "$memory `,` $rows `along` $along attr-dict `:` type($memory) `,` type($rows) `->` type($result)"

    def __init__(self, memory: SSAValue, rows: SSAValue, along: str):
        super().__init__(operands=[memory, rows], properties={"along": StringAttr(along)}, result_types=[memory.type])


@irdl_op_definition
class ScatterOp(IRDLOperation):
    """`%m1 = mp.scatter %m, %rows, %places`: the memory with rows written at computed places.

    `places` has the leading extents of `rows`; the other extents of `rows` are the memory's last ones, all constant:
    what is written in one piece. A place is the number (i32 or i64) of a piece, row-major over the largest extents
    of the memory's dims before these (`leading`); a negative one writes nothing. No two places are equal."""

    name = "mp.scatter"
    memory = operand_def(TensorType)
    rows = operand_def(TensorType)
    places = operand_def(TensorType)
    result = result_def(TensorType)
    assembly_format = (
        "$memory `,` $rows `at` $places attr-dict `:` type($memory) `,` type($rows) `,` type($places) "
        "`->` type($result)"
    )

    def __init__(self, memory: SSAValue, rows: SSAValue, places: SSAValue):
        super().__init__(operands=[memory, rows, places], result_types=[memory.type])

    @property
    def piece_rank(self) -> int:
        """How many of the memory's last extents are written in one piece."""
        rows, places = self.rows.type, self.places.type
        assert isinstance(rows, TensorType) and isinstance(places, TensorType)
        return rows.rank - places.rank

    @property
    def leading(self) -> tuple[int, ...]:
        """The largest extents of the dims that the places are numbers over."""
        type_ = self.memory.type
        assert isinstance(type_, TensorType)
        extents = tuple(type_.extents)[: type_.rank - self.piece_rank]
        return tuple(
            dim_of(self, item).largest if isinstance(item, DimAttr) else int(extent_key(item)) for item in extents
        )

    def verify_(self) -> None:
        memory, rows, places = self.memory.type, self.rows.type, self.places.type
        assert isinstance(memory, TensorType) and isinstance(rows, TensorType) and isinstance(places, TensorType)
        if memory != self.result.type or memory.is_sparse:
            raise VerifyException(f"mp.scatter: a dense memory is written in place, got {memory} -> {self.result.type}")
        if places.element not in (i32, i64):
            raise VerifyException(f"mp.scatter: places are i32 or i64, got {places.element}")
        piece = memory.shape[memory.rank - self.piece_rank :] if self.piece_rank >= 0 else ()
        constant = all(isinstance(item, int) for item in piece)
        if rows.element != memory.element or rows.shape != (*places.shape, *piece) or not constant:
            raise VerifyException(f"mp.scatter: {rows} at {places} are no rows of {memory}")


WRITES_IN_PLACE = (AppendOp, ScatterOp)
"""The ops whose result is their memory, with something written in it. They stand between kernels."""


@irdl_op_definition
class ClearOp(IRDLOperation):
    """`mp.clear "T" if %done : type`: when the step completes, the dim's length is 0 (in the rows where the condition
    holds, for a dim that is per a dim). During the step it is what it is. The condition is one bool, or one for each
    row; without one it always holds."""

    name = "mp.clear"
    dim = prop_def(StringAttr)
    condition = opt_operand_def(TensorType)
    assembly_format = "$dim (`if` $condition^ `:` type($condition))? attr-dict"

    def __init__(self, dim: str, condition: SSAValue | None = None):
        super().__init__(operands=[[condition] if condition is not None else []], properties={"dim": StringAttr(dim)})

    def verify_(self) -> None:
        if self.condition is None:
            return
        type_, per = self.condition.type, dim_of(self, DimAttr(self.dim.data)).per
        rows = () if per is None else (per.data,)
        assert isinstance(type_, TensorType)
        if type_.element != i1 or type_.shape not in ((), rows):
            raise VerifyException(f"mp.clear: expected one bool, or one for each row, got {type_}")


@irdl_op_definition
class PutOp(IRDLOperation):
    """`mp.put %v at [%i, %j] if %p : f32`. A place that is out of range or absent, or a false condition, writes
    nothing; an absent value is stored as 0 / -1 / false by `assign` and adds nothing."""

    name = "mp.put"
    value = operand_def(Attribute)
    indices = var_operand_def(IndexType())
    present = opt_operand_def(i1)
    traits = traits_def(IsTerminator())
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    assembly_format = "$value `at` `[` $indices `]` (`if` $present^)? attr-dict `:` type($value)"

    def __init__(self, value: SSAValue, indices: Sequence[SSAValue], present: SSAValue | None = None):
        super().__init__(operands=[[value], indices, [present] if present is not None else []])


@irdl_op_definition
class UpdateOp(RangedOp):
    """`%m1 = mp.update "assign" %m [#mp.range<...>, ...] { ... mp.put %v at [%i, %j] : f32 } : !mp.tensor<...>`: the
    memory with a value put at a place for each combination of the indices; reads of `%m` inside see the old values.

    `assign`: of several values for one element the one of the highest (lexicographically last) indices stays.
    `add`: all of them are added to the old value, in the compute type, and rounded once when stored."""

    name = "mp.update"
    mode = prop_def(StringAttr)
    memory = operand_def(TensorType)
    result = result_def(TensorType)
    ENDS_IN: ClassVar[type[Operation]] = PutOp
    assembly_format = "$mode $memory $ranges $body attr-dict `:` type($memory) `->` type($result)"

    def __init__(self, mode: str, memory: SSAValue, ranges: Sequence[RangeAttr], body: Region):
        super().__init__(
            operands=[memory],
            properties={"mode": StringAttr(mode), "ranges": ArrayAttr(ranges)},
            regions=[body],
            result_types=[memory.type.plain],  # type: ignore[attr-defined]
        )

    @property
    def put(self) -> PutOp:
        last: Operation | None = self.body.block.last_op
        assert isinstance(last, PutOp)
        return last

    def verify_(self) -> None:
        self.verify_ranges()
        type_ = self.memory.type
        assert isinstance(type_, TensorType)
        if self.mode.data not in MODES:
            raise VerifyException(f"mp.update: mode is one of {', '.join(MODES)}, got {self.mode.data}")
        if type_.plain != self.result.type:
            raise VerifyException(f"mp.update: the memory is {type_}, the result {self.result.type}")
        if len(self.put.indices) != type_.rank:
            raise VerifyException(f"mp.update: expected {type_.rank} indices, got {len(self.put.indices)}")
        expected, got = compute_type(type_.element), self.put.value.type
        if expected != got:
            raise VerifyException(f"mp.update: expected a value of type {expected}, got {got}")
        if self.mode.data == "add" and (expected == i1 or isinstance(expected, IndexType)):
            raise VerifyException(f"mp.update: values of type {expected} are not added")
