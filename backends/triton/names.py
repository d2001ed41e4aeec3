"""Python names for a kernel's values."""

from __future__ import annotations

import keyword
import re

_TAKEN = {"tl", "triton", "range", "float", "NATIVE_FP8"}


class Names:
    """Gives each name once. `reserved` are those of functions in the module."""

    def __init__(self, reserved: set[str]):
        self._taken = _TAKEN | reserved

    def new(self, hint: str | None) -> str:
        """`hint` made an identifier, with a number where it is taken."""
        base = re.sub(r"\W", "_", hint or "value") or "value"
        if base[0].isdigit() or keyword.iskeyword(base):
            base = f"_{base}"
        base = re.sub(r"_\d+$", "", base) if base in self._taken and re.search(r"_\d+$", base) else base
        name, count = base, 1
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return name
