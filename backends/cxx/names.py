"""C++ identifiers: unique in a scope, and none that the language or our headers own."""

from __future__ import annotations

import re

from hetc.dialects.cpp_words import usable

# Bessel functions of math.h, which are in the global scope.
_RESERVED = frozenset({"j0", "j1", "jn", "y0", "y1", "yn"})


def identifier(text: str) -> str:
    """The text as an identifier."""
    cleaned = re.sub(r"[^A-Za-z0-9_]", "_", text).strip("_") or "v"
    return f"v{cleaned}" if cleaned[0].isdigit() else cleaned


def argument_name(text: str) -> str:
    """The name of a kernel's argument, which is the program's word for it: kept unless C++ owns it."""
    return f"{text}_argument" if text in _RESERVED else text


class Names:
    """Hands out names; `child` is a scope inside this one, which hides none of its names."""

    def __init__(self, taken: set[str] | None = None):
        self._taken = set(taken or ())

    def child(self) -> Names:
        """A scope inside."""
        return Names(self._taken)

    def new(self, wanted: str) -> str:
        """`wanted` as an identifier, with a number where it is taken."""
        base = usable(identifier(wanted))
        chosen, number = base, 1
        while chosen in self._taken or chosen in _RESERVED:
            number += 1
            chosen = f"{base}_{number}"
        self._taken.add(chosen)
        return chosen
