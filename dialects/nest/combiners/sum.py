"""sum<T>: the sum. Over nothing 0; integers wrap; floats are added in the order of the folds."""

from __future__ import annotations

from xdsl.ir import SSAValue

from hetc.dialects.nest.combiners.base import Build, Simple


class Sum(Simple):
    """state (sum)."""

    NAME = "sum"

    def identity(self) -> int:
        return 0

    def join(self, build: Build, first: SSAValue, second: SSAValue) -> SSAValue:
        return build.plus(first, second)
