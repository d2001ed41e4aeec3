"""`--dims FILE.toml`: extents for a pipeline.

[dims]              # overrides of constant dims and of bounds, as -D
T = 65536
[estimate]          # the extents that estimates are made at (each run-time dim's bound otherwise)
T = 32768
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

from hetc.diagnostics import EXIT_USAGE, Diagnostic, DiagnosticError, Diagnostics, suggest
from hetc.source import SourceFile, Span, read_source

TABLES = ("dims", "estimate")


def read_dims_file(path: str) -> tuple[dict[str, int], dict[str, int]]:
    """The `[dims]` and the `[estimate]` table. Raises DiagnosticError (exit 2) with everything that is wrong."""
    source = read_source(path)
    data = _parse(source)
    wrong = Diagnostics()
    for name in data:
        if name not in TABLES:
            guess = suggest(name, TABLES)
            wrong.error(
                "HET406",
                f"unknown table or key `{name}`",
                _place_of(source, name),
                notes=("valid tables: [dims], [estimate]",),
                help=f"did you mean `[{guess}]`?" if guess else None,
            )
    tables = tuple(_extents(source, table, data.get(table, {}), wrong) for table in TABLES)
    wrong.raise_if_errors(EXIT_USAGE)
    return tables[0], tables[1]


def _parse(source: SourceFile) -> dict[str, Any]:
    try:
        return tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = re.search(r" \(at line (\d+), column (\d+)\)$", message)
        if place:
            start = source.offset_of(int(place[1]), int(place[2]))
            message, span = message[: place.start()], source.span(start)
        else:
            span = source.span(len(source.text), len(source.text))
        message = f"not valid TOML: {message[:1].lower()}{message[1:]}"
        raise DiagnosticError(Diagnostic("error", "HET406", message, span), EXIT_USAGE) from None
    except RecursionError:
        message = f"`{source.name}`: tables or arrays are nested too deeply"
        raise DiagnosticError(Diagnostic("error", "HET406", message), EXIT_USAGE) from None


def _extents(source: SourceFile, table: str, values: object, wrong: Diagnostics) -> dict[str, int]:
    if not isinstance(values, dict):
        message = f"`{table}` is a table of extents, found {values!r}"
        wrong.error("HET406", message, _place_of(source, table), help=f"write `[{table}]` and then `NAME = 65536`")
        return {}
    extents: dict[str, int] = {}
    for name, value in values.items():
        # bool is an int to Python, not to a reader.
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            extents[name] = value
        else:
            message = f"[{table}] {name}: expected a positive integer; found {value!r}"
            wrong.error("HET406", message, _place_of(source, name))
    return extents


def _place_of(source: SourceFile, key: str) -> Span | None:
    """Where a key stands in the file, for the caret; tomllib does not tell."""
    found = re.search(rf"(?m)^\s*\[?\s*(?P<key>\"?{re.escape(key)}\"?)\s*[\]=.]", source.text)
    return source.span(found.start("key"), found.end("key")) if found else None
