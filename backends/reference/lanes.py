"""A value inside a region, for all index combinations at once.

Every index is a numpy axis, named by its distance from the end: axis p is numpy's axis -p. The free indices of a
statement take the last axes, each nested reduction one more in front, so that numpy's broadcasting aligns a
value of an outer region with those of an inner one by itself.

Presence is a conjunction of conditions, each kept apart with the axes that it mentions: a reduction over r
consumes those that mention r and passes the others on. What `and` and `or` need is one of several conditions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
Axes = frozenset[int]
Conditions = Mapping[Axes, BoolArray]
NOWHERE: Axes = frozenset()


@dataclass(frozen=True)
class Lanes:
    """value: float64, int64 or bool, broadcastable over the axes in force.
    axes: the axes that the value is an expression of (its array may still be of extent 1 there).
    conditions: where it is present: everywhere if empty.
    unstored: where it is 0 because a sparse entry is not stored (0 * x and 0 / x are 0 there), apart by the axes
        that the entry's position mentions.
    magnitude: what its rounding errors are relative to (floats, when asked for; see `magnitude`).
    doubt: of a condition, where an evaluation in f32 may decide otherwise, or None for nowhere (with magnitudes).
    span: (axis, start, stop) of an index that runs over start..stop-1 along its own axis.
    """

    value: np.ndarray
    axes: Axes = NOWHERE
    conditions: Conditions = field(default_factory=dict)
    unstored: Conditions = field(default_factory=dict)
    magnitude: NDArray[np.float64] | None = None
    doubt: BoolArray | None = None
    span: tuple[int, int, int] | None = None

    def present(self) -> BoolArray:
        """Where it is present, broadcastable against the value."""
        return conjunction(self.conditions.values())

    def holds(self) -> BoolArray:
        """Of a condition (bool): where it is present and true."""
        return self.value & self.present()

    def under(self, conditions: Conditions) -> Lanes:
        """The value, present where these conditions hold too."""
        return replace(self, conditions=merge([self.conditions, conditions]), span=None) if conditions else self


def conjunction(masks: Iterable[BoolArray]) -> BoolArray:
    """All of the masks (broadcast against each other); of none, True."""
    result: BoolArray = np.True_  # type: ignore[assignment]
    for mask in masks:
        result = result & mask
    return np.asarray(result)


def condition(axes: Axes, mask: BoolArray) -> dict[Axes, BoolArray]:
    """One condition; none where it holds everywhere."""
    return {} if mask.all() else {axes: mask}


def merge(several: Iterable[Conditions]) -> dict[Axes, BoolArray]:
    """The conjunction of several sets of conditions, kept apart by the axes that they mention."""
    merged: dict[Axes, BoolArray] = {}
    for conditions in several:
        for axes, mask in conditions.items():
            merged[axes] = merged[axes] & mask if axes in merged else mask
    return merged


def implied_by(guard: Lanes, conditions: Conditions, when: bool = True) -> dict[Axes, BoolArray]:
    """`conditions`, demanded only where the guard's value equals `when`."""
    demanded = guard.value if when else ~guard.value
    found: dict[Axes, BoolArray] = {}
    for axes, mask in conditions.items():
        found = merge([found, condition(axes | guard.axes, mask | ~demanded)])
    return found


def decided(left: Lanes, right: Lanes, decides: bool) -> dict[Axes, BoolArray]:
    """When `left and right` (`decides` is False) or `left or right` (True) is present: where both sides are, or where
    one is and has the value that decides. As conditions: one of the sides is present, and each is or the other decides;
    where neither is present the first fails, whatever values they hold."""
    found: dict[Axes, BoolArray] = {}
    for own, other in ((left, right), (right, left)):
        alone = other.value == decides
        for axes, mask in own.conditions.items():
            found = merge([found, condition(axes | other.axes, mask | alone)])
            if own is left:
                for others, second in other.conditions.items():
                    found = merge([found, condition(axes | others, mask | second)])
    return found


def either(several: Iterable[Conditions]) -> dict[Axes, BoolArray]:
    """The union of several sets of masks, kept apart by axes."""
    united: dict[Axes, BoolArray] = {}
    for masks in several:
        for axes, mask in masks.items():
            united[axes] = united[axes] | mask if axes in united else mask
    return united


def where_any(masks: Conditions) -> BoolArray | None:
    """Where at least one of the masks holds; None where there are none."""
    total: BoolArray | None = None
    for mask in masks.values():
        total = mask if total is None else total | mask
    return total


def any_doubt(lanes: Iterable[Lanes]) -> BoolArray | None:
    """Where at least one of the values is in doubt."""
    found = [item.doubt for item in lanes if item.doubt is not None]
    if not found:
        return None
    total = found[0]
    for one in found[1:]:
        total = total | one
    return total


def axes_of(lanes: Iterable[Lanes]) -> Axes:
    return NOWHERE.union(*(item.axes for item in lanes))
