"""Objects whose public attributes are read and not set: a slip of the pen must not pass for an assignment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NoReturn, TypeVar

from hetc.runtime.errors import ReadOnlyError

Key = TypeVar("Key")
Value = TypeVar("Value")


class Guarded:
    """Once `_guard` was called, attributes cannot be set or deleted but those in SETTABLE and an object's own, which
    begin with an underscore. `_instead` says what to do for it."""

    SETTABLE: ClassVar[frozenset[str]] = frozenset()
    _guarded = False

    def _guard(self) -> None:
        self._guarded = True

    def _instead(self, name: str) -> str:
        """How a caller gets what setting `name` would not do; "" where there is no way."""
        return ""

    def __setattr__(self, name: str, value: Any) -> None:
        self._refuse(name, "set")
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        self._refuse(name, "deleted")
        super().__delattr__(name)

    def _refuse(self, name: str, what: str) -> None:
        if self._guarded and not name.startswith("_") and name not in self.SETTABLE:
            instead = self._instead(name)
            raise ReadOnlyError(f"'{name}' of {self!r} cannot be {what}" + (f"; {instead}" if instead else ""))


class ReadOnly(Mapping[Key, Value]):
    """A mapping to look at. `instead`: how its entries are changed."""

    def __init__(self, entries: Mapping[Key, Value], instead: str) -> None:
        self._entries, self._instead = entries, instead

    def __getitem__(self, key: Key) -> Value:
        return self._entries[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __setitem__(self, key: Key, value: Value) -> NoReturn:
        raise ReadOnlyError(f"the entry {key!r} cannot be set; {self._instead}")

    def __delitem__(self, key: Key) -> NoReturn:
        raise ReadOnlyError(f"the entry {key!r} cannot be deleted; {self._instead}")

    def __repr__(self) -> str:
        return repr(dict(self._entries))
