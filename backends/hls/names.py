"""C++ identifiers: unique in a scope, and none that the language or our headers own."""

from __future__ import annotations

import re

_WORDS = """
    alignas alignof and asm auto bool break case catch char class const constexpr continue decltype default delete do
    double else enum explicit export extern false float for friend goto if inline int int32_t int64_t int8_t int16_t
    uint8_t uint16_t uint32_t uint64_t long mutable namespace new not nullptr operator or private protected public
    register return short signed sizeof static struct switch template this throw true try typedef typename union
    unsigned using virtual void volatile while xor hetc hls std main j0 j1 jn y0 y1 yn"""
_RESERVED = frozenset(_WORDS.split())


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

    def new(self, wanted: str) -> str:
        """`wanted` as an identifier, with a number where it is taken."""
        base = identifier(wanted)
        chosen, number = base, 1
        while chosen in self._taken or chosen in _RESERVED:
            number += 1
            chosen = f"{base}_{number}"
        self._taken.add(chosen)
        return chosen
