"""Over which extents of a run-time dim the chosen plan stays the best of those that are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hetc.passes.partition.plans import Plan, Plans
from hetc.passes.partition.search import AS_GOOD

POINTS = 4
"""Extents that are looked at for each dim: the estimate's, and smaller ones, each an eighth of the one before."""
_STEP = 8


@dataclass(frozen=True)
class Range:
    """Of one dim: the extents that were looked at, ascending, and the name of the best plan at each."""

    dim: str
    extents: tuple[int, ...]
    best: tuple[str, ...]


def ranges(
    plans: Plans, named: Mapping[str, Plan], objective: str, derived: Callable[[Mapping[str, int]], Mapping[str, int]]
) -> list[Range]:
    """A range for each run-time dim that is given. `derived` gives all extents where some are changed. A plan that is
    as good as the first one within AS_GOOD does not count as better."""
    found = []
    able = {name: plan for name, plan in named.items() if plan.cost is not None}
    if len({plan.devices for plan in able.values()}) < 2:
        return []
    dims = plans.schedules.dims
    for dim in plans.own_dims():
        extents = sorted({max(1, dims[dim] // _STEP**power) for power in range(POINTS)})
        best = [_best(plans, able, objective, derived({**dims, dim: extent})) for extent in extents]
        found.append(Range(dim, tuple(extents), tuple(best)))
    return found


def _best(plans: Plans, named: Mapping[str, Plan], objective: str, dims: Mapping[str, int]) -> str:
    # A plan has a name for each way on which it was found.
    priced = {plan: plans.at(plan, dims).value(objective) for plan in set(named.values())}
    values = {name: priced[plan] for name, plan in named.items()}
    first = next(iter(values))
    best = min(values, key=lambda name: values[name])
    return best if values[best] * AS_GOOD < values[first] else first
