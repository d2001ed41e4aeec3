"""`--dims FILE.toml`."""

from __future__ import annotations

from pathlib import Path

import pytest

from hetc.compiler.cli.dims_file import read_dims_file
from hetc.diagnostics import DiagnosticError, render_all


def write(folder: Path, text: str) -> str:
    path = folder / "small.toml"
    path.write_text(text)
    return str(path)


def test_both_tables_are_read(tmp_path):
    dims, estimate = read_dims_file(write(tmp_path, "[dims]\nT = 1024\nK = 8\n[estimate]\nT = 512\n"))
    assert dims == {"T": 1024, "K": 8}
    assert estimate == {"T": 512}


def test_both_tables_may_be_absent(tmp_path):
    assert read_dims_file(write(tmp_path, "# nothing\n")) == ({}, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[dims\n", "not valid TOML"),
        ("[dim]\nT = 4\n", "did you mean `[dims]`?"),
        ("T = 4\n", "unknown table or key `T`"),
        ("dims = 4\n", "`dims` is a table of extents, found 4"),
        ("[dims]\nT = 4.5\n", "[dims] T: expected a positive integer; found 4.5"),
        ("[dims]\nT = true\n", "[dims] T: expected a positive integer; found True"),
        ("[estimate]\nT = 0\n", "[estimate] T: expected a positive integer; found 0"),
        ("[estimate]\nT = 'x'\n", "found 'x'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, expected):
    with pytest.raises(DiagnosticError) as caught:
        read_dims_file(write(tmp_path, text))
    assert caught.value.exit_code == 2
    assert expected in render_all(caught.value.diagnostics)


def test_everything_wrong_is_said_at_once_with_its_place(tmp_path):
    path = write(tmp_path, "[dims]\nT = 0\nK = 'x'\n[other]\n")
    with pytest.raises(DiagnosticError) as caught:
        read_dims_file(path)
    lines = {item.span.line for item in caught.value.diagnostics if item.span is not None}
    assert lines == {2, 3, 4}


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DiagnosticError) as caught:
        read_dims_file(str(tmp_path / "none.toml"))
    assert caught.value.exit_code == 2
