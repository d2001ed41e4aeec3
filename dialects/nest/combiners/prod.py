"""prod<T>: the product. Over nothing 1; integers wrap; floats are multiplied in the order of the folds."""

from __future__ import annotations

from xdsl.ir import SSAValue

from hetc.dialects.nest.combiners.base import Build, Simple


class Prod(Simple):
    """state (prod)."""

    NAME = "prod"

    def identity(self) -> int:
        return 1

    def join(self, build: Build, first: SSAValue, second: SSAValue) -> SSAValue:
        return build.times(first, second)
