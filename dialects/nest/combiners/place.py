"""argmax<T>, argmin<T>: the index of the largest and of the smallest value. Over nothing -1; of equal values the lower
index; the first NaN wins, as in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from xdsl.dialects.builtin import Float32Type, IndexType, i1
from xdsl.ir import Attribute, SSAValue

from hetc.dialects.nest.combiners.base import Build, Built, Field


class _Place(Built):
    """state (best, place): `place` is -1 while nothing was folded. A fold is given the value and its index."""

    ABOVE: ClassVar[bool]

    @property
    def is_exact(self) -> bool:
        return True

    @property
    def takes(self) -> tuple[Attribute, ...]:
        return (self.type, IndexType())

    @property
    def gives(self) -> tuple[Attribute, ...]:
        return (IndexType(),)

    @property
    def state(self) -> tuple[Field, ...]:
        return (Field("best", self.type), Field("place", IndexType()))

    def start(self, build: Build) -> list[SSAValue]:
        return [build.constant(0, self.type), build.constant(-1, IndexType())]

    def step(self, build: Build, state: Sequence[SSAValue], values: Sequence[SSAValue]) -> list[SSAValue]:
        return self._better(build, state, values)

    def merge(self, build: Build, state: Sequence[SSAValue], other: Sequence[SSAValue]) -> list[SSAValue]:
        return self._better(build, state, other)

    def _better(self, build: Build, state: Sequence[SSAValue], other: Sequence[SSAValue]) -> list[SSAValue]:
        """The better of two: NaN before numbers, then the better value, then the lower index; a place of -1 loses."""
        (best, place), (value, index) = state, other
        wins = self._beats(build, value, best)
        tied = build.both(build.compare("slt", index, place), self._ties(build, value, best))
        first = build.compare("slt", place, build.constant(0, IndexType()))
        given = build.compare("sge", index, build.constant(0, IndexType()))
        taken = build.both(given, build.either(first, build.either(wins, tied)))
        return [build.select(taken, value, best), build.select(taken, index, place)]

    def _beats(self, build: Build, value: SSAValue, best: SSAValue) -> SSAValue:
        if self.type == i1:
            return build.compare("ugt" if self.ABOVE else "ult", value, best)
        if not isinstance(self.type, Float32Type):
            return build.compare("sgt" if self.ABOVE else "slt", value, best)
        beats = build.either(build.compare("ogt" if self.ABOVE else "olt", value, best), _is_nan(build, value))
        return build.both(beats, build.compare("oeq", best, best))

    def _ties(self, build: Build, value: SSAValue, best: SSAValue) -> SSAValue:
        if not isinstance(self.type, Float32Type):
            return build.compare("eq", value, best)
        nans = build.both(_is_nan(build, value), _is_nan(build, best))
        return build.either(build.compare("oeq", value, best), nans)

    def finish(self, build: Build, state: Sequence[SSAValue]) -> list[SSAValue]:
        return [state[1]]


def _is_nan(build: Build, value: SSAValue) -> SSAValue:
    return build.compare("une", value, value)


class ArgMax(_Place):
    """The place of the largest value."""

    NAME, ABOVE = "argmax", True


class ArgMin(_Place):
    """The place of the smallest value."""

    NAME, ABOVE = "argmin", False
