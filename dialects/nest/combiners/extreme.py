"""max<T>, min<T>: the largest and the smallest value. Over nothing -inf and +inf, of integers the least and the largest
of their type, of conditions false and true. A NaN stays."""

from __future__ import annotations

from typing import ClassVar

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, i1
from xdsl.ir import Operation, SSAValue

from hetc.dialects.nest.combiners.base import Build, Simple, greatest, least


class _Extreme(Simple):
    """state (the value so far)."""

    FLOAT: ClassVar[type[Operation]]
    INTEGER: ClassVar[type[Operation]]
    CONDITION: ClassVar[type[Operation]]

    @property
    def is_exact(self) -> bool:
        return True

    def join(self, build: Build, first: SSAValue, second: SSAValue) -> SSAValue:
        is_float = isinstance(self.type, Float32Type)
        kind = self.FLOAT if is_float else self.CONDITION if self.type == i1 else self.INTEGER
        return build.add(kind(first, second))  # type: ignore[call-arg, arg-type]


class Max(_Extreme):
    """The largest."""

    NAME = "max"
    FLOAT, INTEGER, CONDITION = arith.MaximumfOp, arith.MaxSIOp, arith.OrIOp

    def identity(self) -> int | float:
        return least(self.type)


class Min(_Extreme):
    """The smallest."""

    NAME = "min"
    FLOAT, INTEGER, CONDITION = arith.MinimumfOp, arith.MinSIOp, arith.AndIOp

    def identity(self) -> int | float:
        return greatest(self.type)
