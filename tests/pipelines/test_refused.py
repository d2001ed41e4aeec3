"""A pipeline that needs what the compiler does not do is refused at its line, and nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from hetc.compiler.cli.app import run
from hetc.compiler.driver import Options, front_end
from hetc.diagnostics import DiagnosticError
from hetc.source import SourceFile

POSTINGS = """pipeline postings grows N by 1:
    dim N <= 1024
    dim V = 64
    input words: i32[16]
    memory tf: sparse u8[V, N] stored <= 100_000
    prepare:
        append(tf, words)
    output tf
"""


def test_a_sparse_output_is_refused_where_it_stands() -> None:
    with pytest.raises(DiagnosticError) as caught:
        front_end(SourceFile("postings.mp", POSTINGS), Options())
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.message) == ("HET301", "a sparse tensor as an output is not supported yet")
    assert diagnostic.span is not None
    assert (diagnostic.span.line, diagnostic.span.column, diagnostic.span.text) == (8, 12, "tf")


def test_compiling_it_leaves_nothing_behind(tmp_path: Path) -> None:
    source = tmp_path / "postings.mp"
    source.write_text(POSTINGS)
    assert run(["compile", str(source), "-o", str(tmp_path / "out")]) == 1
    assert list(tmp_path.iterdir()) == [source]
