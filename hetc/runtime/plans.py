"""The step plans of a state: one for each way in which a step was called of late."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hetc.runtime.step_plan import StepPlan

MOST = 64
"""Plans of a state; the one that was not used for longest gives way."""


class Plans:
    """By the shapes and places of a call's tensors, all of one program and one set of frozen weights."""

    def __init__(self) -> None:
        self._plans: OrderedDict[Hashable, StepPlan] = OrderedDict()
        self._of: object = None

    def get(self, of: object, key: Hashable) -> StepPlan | None:
        """of: the program, and which version of its frozen weights; plans of another are forgotten."""
        if of != self._of:
            self._plans.clear()
            self._of = of
        found = self._plans.get(key)
        if found is not None:
            self._plans.move_to_end(key)
        return found

    def add(self, key: Hashable, plan: StepPlan) -> None:
        self._plans[key] = plan
        if len(self._plans) > MOST:
            self._plans.popitem(last=False)

    def clear(self) -> None:
        """Forget all of them: the state has changed in a way that they do not follow."""
        self._plans.clear()
