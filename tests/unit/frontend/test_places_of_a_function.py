"""Every built-in function stands in each of the places that the page about adding one names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hetc.compiler.vocabulary import FUNCTIONS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "add-an-op.md").read_text(encoding="utf-8")
ROWS = re.findall(r"(?m)^\| (`[^|]*`) \|", PAGE)
WORDS = sorted(FUNCTIONS)


def text_of(row: str) -> str:
    """The files of a row: `folder/one.py` or `two.py` beside it, or all of a folder."""
    names = re.findall(r"`([^`]+)`", row)
    first = ROOT / names[0]
    paths = [first, *(first.parent / name for name in names[1:])]
    files = [path for item in paths for path in (item.glob("*.py") if item.is_dir() else [item])]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def test_the_page_names_places() -> None:
    assert len(ROWS) == 4


@pytest.mark.parametrize("row", ROWS)
def test_every_function_is_there(row: str) -> None:
    text = text_of(row)
    missing = [word for word in WORDS if not re.search(rf"(?<![a-z0-9_]){word}(?![a-z0-9_])", text)]
    assert not missing
