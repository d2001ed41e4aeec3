"""Names, of indices above all. An index that hides another of its name has a mark that no program can write (`d'`), so
that every part of the front end finds one index by one name. Messages and the module have the name without the mark."""

from __future__ import annotations

import re
from collections.abc import Iterable

MARK = "'"
_QUOTED = re.compile(r"`[^`]*`")
_MARKED = re.compile(rf"(?<=\w){MARK}+")


def written_name(name: str) -> str:
    """The name of an index as the program writes it."""
    return name.rstrip(MARK)


def as_written(text: str) -> str:
    """A message with the names of indices as the program writes them."""
    return _QUOTED.sub(lambda quoted: _MARKED.sub("", quoted.group()), text)


def hidden(names: Iterable[str]) -> set[str]:
    """Which of the indices in scope, outer ones first, cannot be meant: an inner one has their name."""
    innermost: dict[str, str] = {}
    found: set[str] = set()
    for name in names:
        outer = innermost.get(written_name(name))
        found |= {outer} if outer is not None else set()
        innermost[written_name(name)] = name
    return found


class FreshNames:
    def __init__(self, taken: set[str]):
        self.taken = taken

    def fresh(self, wanted: str) -> str:
        while wanted in self.taken:
            wanted += "_"
        self.taken.add(wanted)
        return wanted


def is_named(name: str) -> bool:
    """Whether the program has a name for what is called so: `%function.call.name` is what a function defined, and
    `%kind.number` what the front end makes for itself."""
    return not name.startswith("%") or name.count(".") == 2


def plain_name(name: str) -> str:
    """The word of the program that a name is about: of a layer `keys[l]` and of what a function defines."""
    return written_name(name.split("[")[0].rsplit(".", 1)[-1])
