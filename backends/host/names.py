"""Python identifiers: unique in a method, and none that Python or the method's own text needs."""

from __future__ import annotations

import keyword
import re

_OWN = frozenset({"self", "state", "lengths", "tensors", "plan", "Any", "State", "HostProgram", "PlanBuilder"})


class Names:
    """Hands out variable names."""

    def __init__(self) -> None:
        self._taken = set(_OWN)

    def new(self, wanted: str) -> str:
        """`wanted` as an identifier, with a number where it is taken."""
        base = re.sub(r"\W", "_", wanted).strip("_") or "value"
        if base[0].isdigit() or keyword.iskeyword(base):
            base = f"{base}_" if keyword.iskeyword(base) else f"v{base}"
        chosen, number = base, 1
        while chosen in self._taken:
            number += 1
            chosen = f"{base}_{number}"
        self._taken.add(chosen)
        return chosen


RESERVED_METHODS = frozenset(
    {
        "PIPELINE", "KERNELS", "CONSTANTS", "METHODS", "PLANS", "SETTABLE", "backends", "call", "constant", "devices",
        "directory", "emulated", "freeze", "frozen", "frozen_weights", "new_state", "on_kernel", "on_transfer",
        "pass_number", "step", "unfreeze",
    }
)  # fmt: skip
"""What every program has besides its steps; a step of such a name becomes a method with an underscore."""


def method_name(step: str) -> str:
    """The method that runs a step."""
    return f"{step}_" if step in RESERVED_METHODS or keyword.iskeyword(step) or step.startswith("_") else step


def plan_name(step: str) -> str:
    """The method that says what a call of a step does; no step's own method ends so where it begins with `_`."""
    return f"_{step}_plan"
