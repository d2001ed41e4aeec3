"""What the region of a statement is made of.

    mp.read         an element of a tensor, at affine or indirect indices
    mp.read_stored  an element of a sparse tensor, and whether it is stored
    mp.reduce       a reduction over one index, nested anywhere in a region
    mp.dim_size     the extent of a run-time dim, as a value
    mp.round        rounding to a narrower element type and back
    mp.mod          floor modulo of integers and indices
    mp.guard        a value that is absent where a condition is false
    mp.present      whether a value is present
    mp.and, mp.or   conditions joined, where a present one may decide alone
    mp.yield        the end of a region: a value, and the condition under which it is present

The rest of a region is upstream `arith` and `math` on f32, i32, i64, i1 and index.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from xdsl.dialects.builtin import IndexType, StringAttr, i1
from xdsl.ir import Attribute, Region, SSAValue
from xdsl.irdl import (
    AnyAttr,
    AttrSizedOperandSegments,
    IRDLOperation,
    VarConstraint,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import IsTerminator, Pure
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.mp.elements import compute_type
from hetc.dialects.mp.structure import dim_of
from hetc.dialects.mp.types import DimAttr, RangeAttr, TensorType

REDUCTIONS = ("sum", "prod", "max", "min", "mean", "any", "all", "count", "argmax", "argmin")


@irdl_op_definition
class YieldOp(IRDLOperation):
    """`mp.yield %v if %p : f32`: without a condition the value is present. Where the condition is false the value
    is absent: a reduction skips it, a selection never takes it, a stored element becomes 0 / -1 / false."""

    name = "mp.yield"
    value = operand_def(Attribute)
    present = opt_operand_def(i1)
    traits = traits_def(IsTerminator())
    assembly_format = "$value (`if` $present^)? attr-dict `:` type($value)"

    def __init__(self, value: SSAValue, present: SSAValue | None = None):
        super().__init__(operands=[value, [present] if present is not None else []])


class TensorRead(IRDLOperation):
    """What reads one element of a tensor, where a condition holds. Subclasses declare the results."""

    tensor = operand_def(TensorType)
    indices = var_operand_def(IndexType())
    present = opt_operand_def(i1)
    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def __init__(self, tensor: SSAValue, indices: Sequence[SSAValue], present: SSAValue | None = None):
        type_ = tensor.type
        assert isinstance(type_, TensorType)
        super().__init__(
            operands=[[tensor], indices, [present] if present is not None else []],
            result_types=self.read_types(type_),
        )

    @staticmethod
    def read_types(type: TensorType) -> list[Attribute]:
        return [compute_type(type.element)]

    def verify_(self) -> None:
        type_ = self.tensor.type
        assert isinstance(type_, TensorType)
        if len(self.indices) != type_.rank:
            raise VerifyException(f"{self.name}: expected {type_.rank} indices, got {len(self.indices)}")
        if self.results[0].type != compute_type(type_.element):
            raise VerifyException(f"{self.name}: expected {compute_type(type_.element)}, got {self.results[0].type}")


@irdl_op_definition
class ReadOp(TensorRead):
    """`%v = mp.read %x[%i, %j] if %p : type -> f32`. Absent where an index is negative or at or past its (live)
    extent, and where the condition is false; then it reads nothing and its value is 0."""

    name = "mp.read"
    result = result_def(Attribute)
    assembly_format = "$tensor `[` $indices `]` (`if` $present^)? attr-dict `:` type($tensor) `->` type($result)"


@irdl_op_definition
class ReadStoredOp(TensorRead):
    """`%v, %stored = mp.read_stored %tf[%r, %c] : type -> f32, i1`: the value (0 where unstored) of a sparse
    tensor's element, and whether it is stored."""

    name = "mp.read_stored"
    result = result_def(Attribute)
    stored = result_def(i1)
    assembly_format = (
        "$tensor `[` $indices `]` (`if` $present^)? attr-dict `:` type($tensor) `->` type($result) `,` type($stored)"
    )

    @staticmethod
    def read_types(type: TensorType) -> list[Attribute]:
        return [compute_type(type.element), i1]


@irdl_op_definition
class ReduceOp(IRDLOperation):
    """`%v = mp.reduce "sum" #mp.range<"d", 128> { ^bb0(%d: index): ... mp.yield %e : f32 } : f32`.

    `per` is the index that the range's dim is per. Over nothing: sum 0, prod 1, any false, all true, count 0,
    mean 0, max -inf, min +inf (integers: their extremes), argmax / argmin -1. max, min, argmax and argmin
    propagate NaN; ties go to the lower index."""

    name = "mp.reduce"
    kind = prop_def(StringAttr)
    range = prop_def(RangeAttr)
    per = opt_operand_def(IndexType())
    body = region_def("single_block")
    result = result_def(Attribute)
    assembly_format = "$kind $range (`per` $per^)? $body attr-dict `:` type($result)"

    def __init__(self, kind: str, range: RangeAttr, body: Region, type: Attribute, per: SSAValue | None = None):
        super().__init__(
            operands=[[per] if per is not None else []],
            properties={"kind": StringAttr(kind), "range": range},
            regions=[body],
            result_types=[type],
        )

    @property
    def yielded(self) -> YieldOp:
        last = self.body.block.last_op
        assert isinstance(last, YieldOp)
        return last

    def verify_(self) -> None:
        if self.kind.data not in REDUCTIONS:
            raise VerifyException(f"mp.reduce: kind is one of {', '.join(REDUCTIONS)}, got {self.kind.data}")
        arguments = self.body.block.args
        if len(arguments) != 1 or arguments[0].type != IndexType():
            raise VerifyException("mp.reduce: the region has one argument, of type index")
        item = self.range
        per = dim_of(self, item.extent).per if isinstance(item.extent, DimAttr) else None
        if (per is None) != (self.per is None):
            raise VerifyException(f"mp.reduce: {item.index.data} needs a per operand exactly when its dim is per a dim")
        if not isinstance(self.body.block.last_op, YieldOp):
            raise VerifyException("mp.reduce: the region must end in mp.yield")
        self._verify_type()

    def _verify_type(self) -> None:
        kind, got = self.kind.data, self.result.type
        yielded = self.yielded.value.type
        if kind in ("argmax", "argmin"):
            expected: Attribute = IndexType()
        elif kind == "count":
            expected = IndexType() if isinstance(got, IndexType) else got
        else:
            expected = yielded
        if kind in ("any", "all", "count") and yielded != i1:
            raise VerifyException(f"mp.reduce {kind}: expected a condition (i1), got {yielded}")
        if expected != got:
            raise VerifyException(f"mp.reduce {kind}: expected a result of type {expected}, got {got}")


@irdl_op_definition
class DimSizeOp(IRDLOperation):
    """`%n = mp.dim_size "T" per %b : index`: the live extent of a run-time dim (of row `%b`)."""

    name = "mp.dim_size"
    dim = prop_def(StringAttr)
    per = opt_operand_def(IndexType())
    result = result_def(IndexType())
    traits = traits_def(Pure())
    assembly_format = "$dim (`per` $per^)? attr-dict `:` type($result)"

    def __init__(self, dim: str, per: SSAValue | None = None):
        super().__init__(
            operands=[[per] if per is not None else []],
            properties={"dim": StringAttr(dim)},
            result_types=[IndexType()],
        )


@irdl_op_definition
class RoundOp(IRDLOperation):
    """`%r = mp.round %v to bf16 : f32`: the nearest value of a narrower type (ties to even; fp8 and integers
    saturate), still of the compute type."""

    name = "mp.round"
    value = operand_def(Attribute)
    element = prop_def(Attribute)
    result = result_def(Attribute)
    traits = traits_def(Pure())
    assembly_format = "$value `to` $element attr-dict `:` type($value) `->` type($result)"

    def __init__(self, value: SSAValue, element: Attribute):
        super().__init__(operands=[value], properties={"element": element}, result_types=[compute_type(element)])


@irdl_op_definition
class ModOp(IRDLOperation):
    """`%r = mp.mod %a, %b : index`: a - b * floor(a / b), on index, i32 or i64; 0 where b is 0."""

    name = "mp.mod"
    T: ClassVar = VarConstraint("T", AnyAttr())
    lhs = operand_def(T)
    rhs = operand_def(T)
    result = result_def(T)
    traits = traits_def(Pure())
    assembly_format = "$lhs `,` $rhs attr-dict `:` type($result)"

    def __init__(self, lhs: SSAValue, rhs: SSAValue):
        super().__init__(operands=[lhs, rhs], result_types=[lhs.type])


@irdl_op_definition
class GuardOp(IRDLOperation):
    """`%g = mp.guard %v if %c : f32`: `where(c, v)`: the value, absent where the condition is false. The pass
    explicit-presence removes it."""

    name = "mp.guard"
    T: ClassVar = VarConstraint("T", AnyAttr())
    value = operand_def(T)
    condition = operand_def(i1)
    result = result_def(T)
    traits = traits_def(Pure())
    assembly_format = "$value `if` $condition attr-dict `:` type($result)"

    def __init__(self, value: SSAValue, condition: SSAValue):
        super().__init__(operands=[value, condition], result_types=[value.type])


@irdl_op_definition
class PresentOp(IRDLOperation):
    """`%p = mp.present %v : f32`: whether the value is present; itself always present. The pass explicit-presence
    replaces it by the condition."""

    name = "mp.present"
    value = operand_def(Attribute)
    result = result_def(i1)
    traits = traits_def(Pure())
    assembly_format = "$value attr-dict `:` type($value)"

    def __init__(self, value: SSAValue):
        super().__init__(operands=[value], result_types=[i1])


class _DecidedOp(IRDLOperation):
    """Two conditions joined. A present one of the value `DECIDES` gives that value, whatever the other is; otherwise
    the result is present where both are. The pass explicit-presence makes them arith.andi and arith.ori."""

    DECIDES: ClassVar[bool]
    lhs = operand_def(i1)
    rhs = operand_def(i1)
    result = result_def(i1)
    traits = traits_def(Pure())
    assembly_format = "$lhs `,` $rhs attr-dict"

    def __init__(self, lhs: SSAValue, rhs: SSAValue):
        super().__init__(operands=[lhs, rhs], result_types=[i1])


@irdl_op_definition
class AndOp(_DecidedOp):
    """`%c = mp.and %a, %b`: false where one is present and false."""

    name = "mp.and"
    DECIDES: ClassVar[bool] = False


@irdl_op_definition
class OrOp(_DecidedOp):
    """`%c = mp.or %a, %b`: true where one is present and true."""

    name = "mp.or"
    DECIDES: ClassVar[bool] = True
