"""What each kind of reduction carries from element to element, and what comes out of it.

A reduction carries one value or two. mean: the sum and how many there were. argmax, argmin: the best value so far and
where it stood, -1 before any. An index is carried in 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.dialects import arith
from xdsl.dialects.builtin import AnyFloat, IndexType, IntegerType, f32, i32, i64
from xdsl.ir import Attribute, Operation, SSAValue

from hetc.dialects.mp import ReduceOp
from hetc.passes.lower_linalg.builder import Builder
from hetc.passes.lower_linalg.elements import carried_type

Number = bool | int | float
_FLOAT: dict[str, Callable[[SSAValue, SSAValue], Operation]] = {
    "sum": arith.AddfOp, "prod": arith.MulfOp, "max": arith.MaximumfOp, "min": arith.MinimumfOp,
}  # fmt: skip
_INTEGER: dict[str, Callable[[SSAValue, SSAValue], Operation]] = {
    "sum": arith.AddiOp, "prod": arith.MuliOp, "max": arith.MaxSIOp, "min": arith.MinSIOp,
    "any": arith.OrIOp, "all": arith.AndIOp,
}  # fmt: skip
_BEST = ("argmax", "argmin")


@dataclass(frozen=True)
class Reduction:
    """The kind, the type of what is reduced, and the type of the result."""

    kind: str
    value: Attribute
    result: Attribute

    @staticmethod
    def of(op: ReduceOp) -> Reduction:
        return Reduction(op.kind.data, op.yielded.value.type, op.result.type)

    @property
    def types(self) -> list[Attribute]:
        """The types of what is carried."""
        if self.kind in _BEST:
            return [carried_type(self.value), i64]
        if self.kind == "mean":
            return [f32, i32]
        return [carried_type(self.result)]

    @property
    def first(self) -> list[Number]:
        """What is carried before the first element; of one value: the result over nothing."""
        if self.kind in _BEST:
            return [self._extreme(lowest=self.kind == "argmax"), -1]
        if self.kind == "mean":
            return [0.0, 0]
        if self.kind in ("max", "min"):
            return [self._extreme(lowest=self.kind == "max")]
        return [{"sum": 0, "count": 0, "prod": 1, "any": False, "all": True}[self.kind]]

    def combined(
        self, builder: Builder, carried: Sequence[SSAValue], value: SSAValue, present: SSAValue | None, at: SSAValue
    ) -> list[SSAValue]:
        """What is carried after one more element `value`, at the index `at`, where it is `present`."""
        if value.type == IndexType():
            value = builder.cast(value, i64)
        if self.kind in _BEST:
            return self._better(builder, carried, value, present, at)
        if self.kind == "count":
            one = builder.both(present, value)
            assert one is not None
            return [builder.add(arith.AddiOp(carried[0], builder.add(arith.ExtUIOp(one, self.types[0]))))]  # type: ignore[arg-type]
        if self.kind == "mean":
            here = builder.select(present, builder.constant(1, i32), 0)
            total = builder.add(arith.AddfOp(carried[0], builder.select(present, value, 0.0)))
            return [total, builder.add(arith.AddiOp(carried[1], here))]
        combine = (_FLOAT if isinstance(value.type, AnyFloat) else _INTEGER)[self.kind]
        return [builder.add(combine(carried[0], builder.select(present, value, self.first[0])))]

    def finished(self, builder: Builder, carried: Sequence[SSAValue]) -> SSAValue:
        """The result, of its compute type."""
        if self.kind in _BEST:
            return builder.cast(carried[1], self.result)
        if self.kind == "mean":
            count = builder.add(arith.MaxSIOp(carried[1], builder.constant(1, i32)))
            return builder.add(arith.DivfOp(carried[0], builder.add(arith.SIToFPOp(count, f32))))
        return builder.cast(carried[0], self.result)

    def _better(
        self, builder: Builder, carried: Sequence[SSAValue], value: SSAValue, present: SSAValue | None, at: SSAValue
    ) -> list[SSAValue]:
        """Strictly better, so that ties stay with the lower index; a NaN is better than anything but a NaN."""
        best, position = carried
        greater = self.kind == "argmax"
        if isinstance(value.type, AnyFloat):
            above = builder.add(arith.CmpfOp(value, best, "ogt" if greater else "olt"))
            is_nan = builder.add(arith.CmpfOp(value, value, "uno"))
            was_number = builder.add(arith.CmpfOp(best, best, "ord"))
            first_nan = builder.add(arith.AndIOp(is_nan, was_number))
            above = builder.add(arith.OrIOp(above, first_nan))
        else:
            above = builder.add(arith.CmpiOp(value, best, "sgt" if greater else "slt"))
        none_yet = builder.add(arith.CmpiOp(position, builder.constant(0, i64), "slt"))
        taken = builder.both(present, builder.add(arith.OrIOp(above, none_yet)))
        assert taken is not None
        return [
            builder.add(arith.SelectOp(taken, value, best)),
            builder.add(arith.SelectOp(taken, builder.cast(at, i64), position)),
        ]

    def _extreme(self, lowest: bool) -> Number:
        """The least (or largest) value; an index's is that of the 32 bits that it is stored in."""
        if isinstance(self.value, AnyFloat):
            return float("-inf") if lowest else float("inf")
        width = self.value.width.data if isinstance(self.value, IntegerType) else 32
        return -(1 << (width - 1)) if lowest else (1 << (width - 1)) - 1
