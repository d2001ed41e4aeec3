"""Diagnostics as data, and the collector that gathers many of them in one run."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hetc.diagnostics.codes import CODES

if TYPE_CHECKING:  # source.py imports this package: reading a file can fail
    from hetc.source import Span

EXIT_OK = 0
EXIT_PROGRAM = 1
EXIT_USAGE = 2
EXIT_ENVIRONMENT = 3

# Past this many a reader fixes the first ones and runs again.
MAX_SHOWN = 50

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Related:
    """Another place that has to do with a diagnostic, e.g. where a name was first declared."""

    span: Span
    message: str


@dataclass(frozen=True)
class Diagnostic:
    """One thing to say. `label` stands at the caret, `notes` and `help` below the source line."""

    severity: Severity
    code: str
    message: str
    span: Span | None = None
    label: str = ""
    related: tuple[Related, ...] = ()
    notes: tuple[str, ...] = ()
    help: str | None = None

    def __post_init__(self) -> None:
        assert self.code in CODES, f"{self.code} is not in hetc.diagnostics.CODES"

    def __str__(self) -> str:
        place = f"{self.span}: " if self.span else ""
        return f"{place}{self.severity}[{self.code}]: {self.message}"


class DiagnosticError(Exception):
    """Ends a run with diagnostics instead of a traceback; `exit_code` is the process's."""

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic], exit_code: int = EXIT_PROGRAM) -> None:
        self.diagnostics = (diagnostics,) if isinstance(diagnostics, Diagnostic) else tuple(diagnostics)
        assert self.diagnostics, "an error without a diagnostic says nothing"
        self.exit_code = exit_code
        super().__init__("; ".join(str(diagnostic) for diagnostic in self.diagnostics))

    def __str__(self) -> str:
        """What the command line would print: a Python session shows it as the exception's text."""
        from hetc.diagnostics.render import render_all

        placed = any(diagnostic.span is not None for diagnostic in self.diagnostics)
        return ("\n" if placed else "") + render_all(self.diagnostics)

    def _render_traceback_(self) -> list[str]:
        """IPython's hook: a notebook shows what is wrong with the program, not where the compiler noticed."""
        return str(self).strip("\n").split("\n")


class Diagnostics:
    """Collects diagnostics; gives them back by position, each once, at most `limit` of them."""

    def __init__(self, limit: int = MAX_SHOWN) -> None:
        self.limit = limit
        # A dict keeps insertion order and drops repeats, which inlining and loops bring.
        self._found: dict[Diagnostic, None] = {}

    def add(self, diagnostic: Diagnostic) -> None:
        self._found.setdefault(diagnostic)

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        for diagnostic in diagnostics:
            self.add(diagnostic)

    def error(
        self,
        code: str,
        message: str,
        span: Span | None = None,
        *,
        label: str = "",
        related: Iterable[Related] = (),
        notes: Iterable[str] = (),
        help: str | None = None,
    ) -> None:
        self.add(Diagnostic("error", code, message, span, label, tuple(related), tuple(notes), help))

    def warning(
        self,
        code: str,
        message: str,
        span: Span | None = None,
        *,
        label: str = "",
        related: Iterable[Related] = (),
        notes: Iterable[str] = (),
        help: str | None = None,
    ) -> None:
        self.add(Diagnostic("warning", code, message, span, label, tuple(related), tuple(notes), help))

    def note(self, code: str, message: str, span: Span | None = None, *, help: str | None = None) -> None:
        self.add(Diagnostic("note", code, message, span, help=help))

    @property
    def has_errors(self) -> bool:
        return any(diagnostic.severity == "error" for diagnostic in self._found)

    def __len__(self) -> int:
        """How many were found, shown or not."""
        return len(self._found)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.sorted())

    def sorted(self) -> tuple[Diagnostic, ...]:
        """By file and position, those without a place last; a final note counts what the limit left out.

        Past the limit errors are kept before warnings, so that a run that failed always shows why.
        """
        kept = list(self._found)
        if len(kept) > self.limit:
            kept = sorted(kept, key=lambda d: (d.severity != "error", _position(d)))[: self.limit]
        kept.sort(key=_position)
        left_out = len(self._found) - len(kept)
        if left_out:
            kept.append(Diagnostic("note", "HET000", f"and {left_out} more"))
        return tuple(kept)

    def raise_if_errors(self, exit_code: int = EXIT_PROGRAM) -> None:
        if self.has_errors:
            raise DiagnosticError(self.sorted(), exit_code)


def suggest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that `name` is most likely a misspelling of, or None.

    A name that differs only by case is preferred; very long names are not compared (quadratic time). A slip is one
    letter in a short name and two in a longer one: what is further away is another word.
    """
    pool = sorted({candidate for candidate in candidates if candidate != name and len(candidate) <= 100})
    if len(name) > 100:
        return None
    for candidate in pool:
        if candidate.lower() == name.lower():
            return candidate
    # Two of three letters right is a likely slip in a short name (`kyes`), the usual 0.6 in a longer one.
    if len(name) == 2 and name[0] == name[1] and name[0] in pool:
        return name[0]
    slips = 0 if len(name) < 3 else 1 if len(name) < 6 else 2
    for match in difflib.get_close_matches(name, pool, n=3, cutoff=0.6):
        if _slips(name, match) <= slips:
            return match
    return None


def _slips(one: str, other: str) -> int:
    """How many letters are left out, put in, changed, or swapped with the next."""
    rows = [list(range(len(other) + 1))]
    for i, letter in enumerate(one, 1):
        rows.append([i])
        for j, known in enumerate(other, 1):
            best = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (letter != known))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == known:
                best = min(best, rows[i - 2][j - 2] + 1)
            rows[i].append(best)
    return rows[-1][-1]


def _position(diagnostic: Diagnostic) -> tuple[bool, str, int, int]:
    span = diagnostic.span
    if span is None:
        return (True, "", 0, 0)
    return (False, span.file.name, span.start, span.end)
