"""A pipeline that needs what the compiler does not do is refused at its line, and nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from hetc.compiler.cli.app import run
from hetc.compiler.driver import Options, front_end
from hetc.diagnostics import DiagnosticError
from hetc.source import read_source

RANKING = Path(__file__).parent / "ranking.mp"


def test_a_full_sort_is_refused_where_it_stands() -> None:
    with pytest.raises(DiagnosticError) as caught:
        front_end(read_source(RANKING), Options())
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.message) == ("HET301", "`sort` is not supported yet")
    assert diagnostic.span is not None
    assert (diagnostic.span.line, diagnostic.span.column, diagnostic.span.text) == (14, 20, "sort")


def test_compiling_it_leaves_nothing_behind(tmp_path: Path) -> None:
    assert run(["compile", str(RANKING), "-o", str(tmp_path / "out")]) == 1
    assert list(tmp_path.iterdir()) == []
