"""The small programs about indices and presence on the page about the language give what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.language.running import WAYS, session_of

PAGE = (Path(__file__).parents[2] / "docs" / "language.md").read_text(encoding="utf-8")
DECLARED, PICK = re.search(r"```text\n(dim N.*?)\n\n(.*?)\n```", PAGE, re.DOTALL).groups()  # type: ignore[union-attr]
ROWS = re.findall(r"(?m)^\| `([^`]*\by\b[^`]*)` \| ([-\w, ]+?)(?:, and a warning)? \|$", PAGE)
GIVEN = {name: numbers.split(", ") for name, numbers in re.findall(r"input (\w+): .*# (.*)", DECLARED)}


def program(rows: list[str]) -> str:
    """One pipeline of the rows' statements; names that rows define or write are a row's own."""
    lines = ["pipeline page:", *(f"    {line}" for line in DECLARED.splitlines() if "memory" not in line)]
    lines += [f"    memory m{number}: f32[N]" for number, row in enumerate(rows) if re.search(r"\bm\[", row)]
    lines += ["    apply:", f"        {PICK}"]
    for number, row in enumerate(rows):
        own = re.sub(r"\b[ym]\b", lambda name: f"{name.group()}{number}", row)  # noqa: B023
        lines += [f"        {statement}" for statement in own.split("; ")]
    lines += ["    output " + ", ".join(f"y{number}" for number in range(len(rows)))]
    return "\n".join(lines) + "\n"


def results(rows: list[str], way: str, directory: Path) -> list[list[object]]:
    session = session_of(program(rows), way, {}, {}, directory)
    dtypes = {"x": np.float32, "ids": np.int32, "at": np.int32}
    got = session.call(**{name: np.array(numbers, float).astype(dtypes[name]) for name, numbers in GIVEN.items()})
    return [got[f"y{number}"].reshape(-1).tolist() for number in range(len(rows))]


def numbers(text: str) -> list[object]:
    return [each == "true" if each in ("true", "false") else float(each) for each in text.split(", ")]


def test_there_are_programs() -> None:
    assert len(ROWS) >= 10


@pytest.mark.parametrize(("row", "expected"), ROWS, ids=[row for row, _ in ROWS])
def test_a_row_of_the_page(row: str, expected: str, tmp_path: Path) -> None:
    assert results([row], "oracle", tmp_path) == [numbers(expected)]


@pytest.mark.parametrize("way", WAYS)
def test_all_rows_in_one_program(way: str, tmp_path: Path) -> None:
    got = results([row for row, _ in ROWS], way, tmp_path)
    assert got == [numbers(expected) for _, expected in ROWS]
