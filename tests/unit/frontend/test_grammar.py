"""The tables of the grammar: kept from run to run, and the same as those that are made."""

from __future__ import annotations

from pathlib import Path

import pytest

from hetc.cache import cache_folder
from hetc.compiler.frontend.syntax.grammar import line_parser


@pytest.fixture(autouse=True)
def _made_anew():
    line_parser.cache_clear()
    yield
    line_parser.cache_clear()


def _tree(statement: str) -> str:
    line_parser.cache_clear()
    return line_parser().parse(statement, start="statements").pretty()


def test_tables_are_read_as_they_were_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HETC_CACHE_DIR", str(tmp_path))
    statement = "s[b, t] = sum[d](q[b, d] * keys[b, t, d])"
    made = _tree(statement)
    (entry,) = cache_folder("grammar").iterdir()
    tables = entry / "tables"
    written = tables.read_bytes()
    assert _tree(statement) == made and tables.read_bytes() == written
    tables.write_bytes(written[:100])
    assert _tree(statement) == made and tables.stat().st_size > 100  # what is damaged is made again


def test_nothing_needs_to_be_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HETC_CACHE_DIR", "/proc/none")
    assert "arguments" in _tree("o[b] = f(x[b])")
