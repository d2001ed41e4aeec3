"""Text of generated programs, line by line, with indentation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Writer:
    """Collects lines. `indent()` is a context in which lines are indented one step more."""

    def __init__(self, step: str = "  "):
        self.step = step
        self._depth = 0
        self._lines: list[str] = []

    def line(self, text: str = "") -> None:
        """One line, or several if the text has line breaks; an empty one is not indented."""
        for part in text.split("\n"):
            self._lines.append(f"{self.step * self._depth}{part}" if part else "")

    def unindented(self, text: str) -> None:
        """A line at the margin, as preprocessor lines and pragmas stand."""
        self._lines.append(text)

    @contextmanager
    def indent(self) -> Iterator[None]:
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    @contextmanager
    def block(self, opening: str, closing: str = "}") -> Iterator[None]:
        """`opening`, an indented inside, `closing`."""
        self.line(opening)
        with self.indent():
            yield
        self.line(closing)

    def text(self) -> str:
        """All lines, each ended by a line break."""
        return "".join(f"{line}\n" for line in self._lines)
