"""The cheapest plan: every mix of devices for the stages, priced as it would be compiled.

The kernels of a step depend on where its own stages are alone, so those of each step are priced first, for every way to
place its stages; a plan whose kernels alone take more than a known plan is not tried.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from hetc.passes.partition.placement import Estimate
from hetc.passes.partition.plans import Devices, Plan, Plans, Unit, value_of

MOST_UNITS = 12
"""Stages up to which every mix is looked at."""
AS_GOOD = 1.02
"""Within this factor of the cheapest, the plan nearest to the rule is taken."""


@dataclass(frozen=True)
class Choice:
    """The plan that is chosen, and how: `exact` where every mix was looked at."""

    plan: Plan
    exact: bool


def cheapest(
    plans: Plans,
    rule: Devices,
    alone: Mapping[Unit, Mapping[str, Estimate]],
    pins: Devices,
    kinds: Sequence[str],
    objective: str,
) -> Choice:
    """The cheapest plan that keeps the pins, or within AS_GOOD of it the one nearest to `rule`; `rule` itself where
    no plan can be compiled. `alone`: each stage on each kind, by itself."""
    choices = {unit: _choices(unit, alone[unit], pins, kinds) for unit in rule}
    exact = sum(len(found) > 1 for found in choices.values()) <= MOST_UNITS
    starts = [dict(rule), *({unit: _kept(kind, found) for unit, found in choices.items()} for kind in kinds)]
    best = min(plans.of(start).value(objective) for start in starts)
    if exact:
        best = _Exhaustive(plans, choices, alone, objective, best).run()
    else:
        best = min(_climb(plans, start, choices, objective) for start in starts)
    allowed = [plan for plan in plans.tried.values() if _keeps(plan, choices)]
    good = [plan for plan in allowed if plan.value(objective) <= AS_GOOD * best]
    if not good or best == float("inf"):
        return Choice(plans.of(rule), exact)
    return Choice(min(good, key=lambda plan: (_distance(plan, rule), plan.value(objective))), exact)


def _choices(unit: Unit, row: Mapping[str, Estimate], pins: Devices, kinds: Sequence[str]) -> list[str]:
    if unit in pins:
        return [pins[unit]]
    return [kind for kind in kinds if not row[kind].refused] or list(kinds)


def _kept(kind: str, choices: Sequence[str]) -> str:
    return kind if kind in choices else choices[0]


def _keeps(plan: Plan, choices: Mapping[Unit, Sequence[str]]) -> bool:
    return all(kind in choices[unit] for unit, kind in plan.devices)


def _distance(plan: Plan, rule: Devices) -> int:
    return sum(rule[unit] != kind for unit, kind in plan.devices)


def _climb(plans: Plans, start: Devices, choices: Mapping[Unit, Sequence[str]], objective: str) -> float:
    """Local search: the best plan that moving one stage at a time leads to."""
    current, value = dict(start), plans.of(start).value(objective)
    while True:
        neighbours = [
            {**current, unit: kind} for unit, kinds in choices.items() for kind in kinds if kind != current[unit]
        ]
        best = min(neighbours, key=lambda devices: plans.of(devices).value(objective), default=current)
        if plans.of(best).value(objective) >= value:
            return value
        current, value = best, plans.of(best).value(objective)


@dataclass
class _Exhaustive:
    """Every mix, but for those whose kernels alone take more than a plan that is known. best: what that takes."""

    plans: Plans
    choices: Mapping[Unit, Sequence[str]]
    alone: Mapping[Unit, Mapping[str, Estimate]]
    objective: str
    best: float

    def run(self) -> float:
        """Tries the mixes in the order of what their kernels take; gives what the best takes."""
        steps = list(dict.fromkeys(step for step, _ in self.choices))
        mixes: list[tuple[float, Devices]] = []
        for parts in product(*(self._of_step(step) for step in steps)):
            bound = value_of(sum(_time(part) for part in parts), sum(_energy(part) for part in parts), self.objective)
            if bound <= AS_GOOD * self.best:
                mixes.append((bound, dict(item for part in parts for item in part.devices)))
        for bound, devices in sorted(mixes, key=lambda mix: mix[0]):
            if bound <= AS_GOOD * self.best:
                in_order = {unit: devices[unit] for unit in self.choices}
                self.best = min(self.best, self.plans.of(in_order).value(self.objective))
        return self.best

    def _of_step(self, step: str) -> list[Plan]:
        """The ways to place a step's stages that can be compiled, with what their kernels take."""
        units = [unit for unit in self.choices if unit[0] == step]
        found = []
        for kinds in product(*(self.choices[unit] for unit in units)):
            devices = dict(zip(units, kinds, strict=True))
            if self._separate(devices) > AS_GOOD * self.best:
                continue
            priced = self.plans.kernels_of_step(step, devices)
            if priced.cost is not None and priced.value(self.objective) <= AS_GOOD * self.best:
                found.append(priced)
        return found

    def _separate(self, devices: Devices) -> float:
        """What the stages take that are the only ones on their device: no other is fused with them."""
        counts = Counter(devices.values())
        rows = [self.alone[unit][kind] for unit, kind in devices.items() if counts[kind] == 1]
        time_us, energy_mj = sum(row.time_us or 0.0 for row in rows), sum(row.energy_mj or 0.0 for row in rows)
        return value_of(time_us, energy_mj, self.objective)


def _time(plan: Plan) -> float:
    return plan.cost.time_us if plan.cost is not None else float("inf")


def _energy(plan: Plan) -> float:
    return plan.cost.energy_mj if plan.cost is not None else float("inf")
