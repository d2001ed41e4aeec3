"""The irregular operations: few, each with a contract that every backend keeps.

mp.topk      the K best of an index, as a set with a deterministic tie rule
mp.select    the indices where a condition holds, up to a capacity
mp.softmax   normalisation over one index or several
mp.rope      rotary position embedding along one axis
mp.quantize  a tensor as narrow values and their scales
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import (
    ArrayAttr,
    FloatAttr,
    IndexType,
    IntegerAttr,
    StringAttr,
    i1,
    i64,
)
from xdsl.ir import Attribute, Region, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
)
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.mp.compute import RangedOp
from hetc.dialects.mp.elements import ELEMENT_TYPES
from hetc.dialects.mp.types import RangeAttr, TensorType, extent_key

ORDERS = ("any", "score", "index")
SCALES = {"pow2": ELEMENT_TYPES["f32"]} | {
    name: ELEMENT_TYPES[name] for name in ("f32", "f16", "bf16", "fp8", "fp8e5m2", "e8m0")
}
"""Kinds of scales, and what they are stored in."""


@irdl_op_definition
class TopkOp(RangedOp):
    """The `k` highest scores over the last range, for each combination of the others (the free indices).

    The region yields the score and, optionally, the condition under which it is a candidate. Absent, NaN and -inf
    scores are never taken; equal scores go to the lower index. `indices` has the free extents and `k`; its unused
    tail is -1, that of `scores` -inf. `order`: `any` (the set alone is fixed), `score` (descending, ties by lower
    index) or `index` (ascending)."""

    name = "mp.topk"
    k = prop_def(IntegerAttr)
    order = prop_def(StringAttr)
    indices = result_def(TensorType)
    scores = result_def(TensorType)
    assembly_format = "$k $order $ranges $body attr-dict `:` type($indices) `,` type($scores)"

    def __init__(
        self,
        ranges: Sequence[RangeAttr],
        body: Region,
        k: int,
        score_element: Attribute,
        order: str = "any",
    ):
        free = [item.extent for item in ranges[:-1]]
        extents = ArrayAttr([*free, IntegerAttr(k, i64)])
        super().__init__(
            properties={"k": IntegerAttr(k, i64), "order": StringAttr(order), "ranges": ArrayAttr(ranges)},
            regions=[body],
            result_types=[TensorType(extents, IndexType()), TensorType(extents, score_element)],
        )

    def verify_(self) -> None:
        self.verify_ranges()
        if not self.ranges:
            raise VerifyException("mp.topk: expected a range to select from")
        if self.order.data not in ORDERS:
            raise VerifyException(f"mp.topk: order is one of {', '.join(ORDERS)}, got {self.order.data}")
        expected = (*(extent_key(item.extent) for item in self.index_ranges[:-1]), self.k.value.data)
        for result in (self.indices, self.scores):
            type_ = result.type
            assert isinstance(type_, TensorType)
            if type_.shape != expected:
                raise VerifyException(f"mp.topk: expected results of extents {expected}, got {type_.shape}")


@irdl_op_definition
class SelectOp(RangedOp):
    """The indices of the last range where the region's condition holds, ascending, at most `capacity` of them; the
    rest is -1. The region yields a score (`mp.yield %score if %condition`): when more qualify than fit, the highest
    scores stay (ties by lower index) and `overflow` (per combination of the free indices) counts the rest."""

    name = "mp.select"
    capacity = prop_def(IntegerAttr)
    indices = result_def(TensorType)
    overflow = result_def(TensorType)
    assembly_format = "$capacity $ranges $body attr-dict `:` type($indices) `,` type($overflow)"

    def __init__(self, ranges: Sequence[RangeAttr], body: Region, capacity: int):
        free = [item.extent for item in ranges[:-1]]
        super().__init__(
            properties={"capacity": IntegerAttr(capacity, i64), "ranges": ArrayAttr(ranges)},
            regions=[body],
            result_types=[
                TensorType(ArrayAttr([*free, IntegerAttr(capacity, i64)]), IndexType()),
                TensorType(ArrayAttr(free), IndexType()),
            ],
        )

    def verify_(self) -> None:
        self.verify_ranges()
        if self.yielded.present is None or self.yielded.present.type != i1:
            raise VerifyException("mp.select: the region must yield a score and the condition")


@irdl_op_definition
class SoftmaxOp(RangedOp):
    """exp(x - max) / sum(exp(x - max)) over the ranges at the positions `axes` together, which ascend; the other
    ranges are free. Elements where the region's value is absent are absent, and count for nothing."""

    name = "mp.softmax"
    axes = prop_def(ArrayAttr[IntegerAttr])
    result = result_def(TensorType)
    assembly_format = "$axes $ranges $body attr-dict `:` type($result)"

    def __init__(self, ranges: Sequence[RangeAttr], body: Region, axes: Sequence[int], type: TensorType):
        super().__init__(
            properties={"axes": ArrayAttr([IntegerAttr(axis, i64) for axis in axes]), "ranges": ArrayAttr(ranges)},
            regions=[body],
            result_types=[type],
        )

    @property
    def axis_positions(self) -> tuple[int, ...]:
        """The positions of the ranges that are normalised over."""
        return tuple(axis.value.data for axis in self.axes)

    def verify_(self) -> None:
        self.verify_ranges()
        axes = self.axis_positions
        if not axes or list(axes) != sorted(set(axes)):
            raise VerifyException(f"mp.softmax: expected one axis or several that ascend, got {list(axes)}")
        for axis in axes:
            if not 0 <= axis < len(self.ranges):
                raise VerifyException(f"mp.softmax: axis {axis} is not one of {len(self.ranges)} ranges")


@irdl_op_definition
class RopeOp(RangedOp):
    """Rotary embedding of `x` along `axis`: the first `dims` channels are rotated in pairs by
    `position * frequencies[pair]` radians, the others pass. The region yields the position (index) from the
    indices of `x` (it must not depend on the axis). `layout`: `half` pairs channel i with i + dims/2, `interleaved`
    2i with 2i+1. `frequencies` (f64, dims/2 of them) already hold base and scaling; they multiply exactly: the
    angle is reduced modulo a turn before it is rounded. (RoFormer, arXiv 2104.09864.)"""

    name = "mp.rope"
    x = operand_def(TensorType)
    axis = prop_def(IntegerAttr)
    dims = prop_def(IntegerAttr)
    layout = prop_def(StringAttr)
    frequencies = prop_def(ArrayAttr[FloatAttr])
    result = result_def(TensorType)
    assembly_format = "$x $axis $dims $layout $frequencies $ranges $body attr-dict `:` type($x) `->` type($result)"

    def __init__(
        self,
        x: SSAValue,
        ranges: Sequence[RangeAttr],
        body: Region,
        axis: int,
        dims: int,
        layout: str,
        frequencies: Sequence[float],
    ):
        super().__init__(
            operands=[x],
            properties={
                "axis": IntegerAttr(axis, i64),
                "dims": IntegerAttr(dims, i64),
                "layout": StringAttr(layout),
                "frequencies": ArrayAttr([FloatAttr(value, 64) for value in frequencies]),
                "ranges": ArrayAttr(ranges),
            },
            regions=[body],
            result_types=[x.type],
        )

    def verify_(self) -> None:
        self.verify_ranges()
        if self.layout.data not in ("half", "interleaved"):
            raise VerifyException(f"mp.rope: layout is half or interleaved, got {self.layout.data}")
        if len(self.frequencies) * 2 != self.dims.value.data:
            raise VerifyException(
                f"mp.rope: expected {self.dims.value.data // 2} frequencies, got {len(self.frequencies)}"
            )
        if self.yielded.value.type != IndexType():
            raise VerifyException(f"mp.rope: the position must be an index, got {self.yielded.value.type}")


@irdl_op_definition
class QuantizeOp(IRDLOperation):
    """`%q, %scale = mp.quantize %x {axis, block, scale_kind, floor}`: blocks of `block` elements along `axis` share
    a scale of the kind `scale_kind` (see `hetc.numerics.quantization`) for max(amax, floor); q is x / scale rounded to
    nearest even, saturating. `scale` has the axis replaced by the number of blocks, or dropped
    where one block is the whole axis."""

    name = "mp.quantize"
    x = operand_def(TensorType)
    axis = prop_def(IntegerAttr)
    block = opt_prop_def(IntegerAttr)
    scale_kind = prop_def(StringAttr)
    floor = prop_def(FloatAttr)
    values = result_def(TensorType)
    scale = result_def(TensorType)
    assembly_format = (
        "$x $axis (`block` $block^)? $scale_kind $floor attr-dict `:` type($x) `->` type($values) `,` type($scale)"
    )

    def __init__(
        self, x: SSAValue, axis: int, block: int | None, scale_kind: str, floor: float,
        values: TensorType, scale: TensorType,
    ):  # fmt: skip
        super().__init__(
            operands=[x],
            properties={
                "axis": IntegerAttr(axis, i64),
                "block": None if block is None else IntegerAttr(block, i64),
                "scale_kind": StringAttr(scale_kind),
                "floor": FloatAttr(floor, 64),
            },
            result_types=[values, scale],
        )

    def verify_(self) -> None:
        kind, scale = self.scale_kind.data, self.scale.type
        assert isinstance(scale, TensorType)
        if kind not in SCALES:
            raise VerifyException(f"mp.quantize: scale is one of {', '.join(SCALES)}, got {kind}")
        if scale.element != SCALES[kind]:
            raise VerifyException(f"mp.quantize: scales of kind {kind} are {SCALES[kind]}, not {scale.element}")
