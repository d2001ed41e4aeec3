"""any<i1>, all<i1>: whether one, and whether each, of the conditions holds. Over nothing false and true."""

from __future__ import annotations

from xdsl.dialects.builtin import i1
from xdsl.ir import Attribute, SSAValue

from hetc.dialects.nest.combiners.base import Build, Simple


class _Quantifier(Simple):
    def __init__(self, type: Attribute, size: int = 0) -> None:
        super().__init__(type, size)
        if type != i1:
            raise ValueError(f"{self.NAME} combines conditions (i1), not {type}")


class Any(_Quantifier):
    """state (any)."""

    NAME = "any"

    def identity(self) -> bool:
        return False

    def join(self, build: Build, first: SSAValue, second: SSAValue) -> SSAValue:
        return build.either(first, second)


class All(_Quantifier):
    """state (all)."""

    NAME = "all"

    def identity(self) -> bool:
        return True

    def join(self, build: Build, first: SSAValue, second: SSAValue) -> SSAValue:
        return build.both(first, second)
