"""count<T>: how many of the conditions hold, as an i32, an i64 or an index."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import IndexType, IntegerType, i1
from xdsl.ir import Attribute, SSAValue

from hetc.dialects.nest.combiners.base import Build, Built, Field


class Count(Built):
    """state (count)."""

    NAME = "count"
    TYPES = (IntegerType, IndexType)

    @property
    def takes(self) -> tuple[Attribute, ...]:
        return (i1,)

    @property
    def state(self) -> tuple[Field, ...]:
        return (Field("count", self.type),)

    def start(self, build: Build) -> list[SSAValue]:
        return [build.constant(0, self.type)]

    def step(self, build: Build, state: Sequence[SSAValue], values: Sequence[SSAValue]) -> list[SSAValue]:
        more = build.plus(state[0], build.constant(1, self.type))
        return [build.select(values[0], more, state[0])]

    def merge(self, build: Build, state: Sequence[SSAValue], other: Sequence[SSAValue]) -> list[SSAValue]:
        return [build.plus(state[0], other[0])]
