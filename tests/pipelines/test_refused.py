"""A pipeline that needs what the compiler does not do is refused at its line, and nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from hetc.compiler.cli.app import run
from hetc.compiler.driver import Options, front_end
from hetc.diagnostics import DiagnosticError
from hetc.source import read_source

POSTINGS = Path(__file__).parent / "postings.mp"


def test_a_sparse_output_is_refused_where_it_stands() -> None:
    with pytest.raises(DiagnosticError) as caught:
        front_end(read_source(POSTINGS), Options())
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.message) == ("HET301", "a sparse tensor as an output is not supported yet")
    assert diagnostic.span is not None
    assert (diagnostic.span.line, diagnostic.span.column, diagnostic.span.text) == (10, 12, "tf")


def test_compiling_it_leaves_nothing_behind(tmp_path: Path) -> None:
    assert run(["compile", str(POSTINGS), "-o", str(tmp_path / "out")]) == 1
    assert list(tmp_path.iterdir()) == []
