"""`-` in a file's place: the text of a `.mp` file on standard input."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from hetc.compiler.cli import app

PROGRAM = """pipeline p:
    dim D = 4  # é
    input x: f32[D]
    apply:
        y[d] = 2 * x[d]
    output y
"""


def run(monkeypatch: pytest.MonkeyPatch, text: str | bytes, *arguments: str) -> int:
    data = text.encode() if isinstance(text, str) else text
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data), encoding="ascii"))
    return app.run([*arguments, "-"])


def test_check(monkeypatch, capsys):
    assert run(monkeypatch, PROGRAM, "check") == 0
    assert capsys.readouterr().err == "<stdin>: ok\n"
    assert run(monkeypatch, PROGRAM.replace("x[d]", "z[d]"), "check") == 1
    assert "--> <stdin>:5:20" in capsys.readouterr().err
    assert run(monkeypatch, PROGRAM.replace("x[d]", "z[d]"), "check", "--format", "json") == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["file"], found["range"]["start"]) == ("<stdin>", {"line": 5, "column": 20})


def test_what_is_no_source_text(monkeypatch, capsys):
    for data, code in ((b"\xff", "HET001"), (b"a\0", "HET002"), (b"#" * (5 << 20), "HET003"), (b"# a\rb\n", "HET004")):
        assert run(monkeypatch, data, "check") == 1
        assert code in (err := capsys.readouterr().err)
        assert "<stdin>" in err
    monkeypatch.setattr("sys.stdin", None)
    assert app.run(["check", "-"]) == 2
    assert "cannot read `<stdin>`: it is closed" in capsys.readouterr().err


def test_explain_compile_and_run(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, PROGRAM, "explain", "-p", "mi210") == 0
    assert "p: everything on the gpu" in capsys.readouterr().out
    assert run(monkeypatch, PROGRAM, "compile", "-p", "mi210") == 0
    assert capsys.readouterr().err.startswith("<stdin> -> out/stdin: 1 kernel")
    assert (tmp_path / "out" / "stdin" / "source" / "<stdin>").read_text() == PROGRAM
    assert "# _stdin_:5" in (tmp_path / "out" / "stdin" / "gpu" / "kernels.py").read_text()
    assert app.run(["inspect", "out/stdin", "apply", "--no-build"]) == 0
    assert "> _stdin_:5  y[d] = 2 * x[d]" in capsys.readouterr().out
    for arguments in (["run", "-p", "mi210", "--check", "--calls", "1"], ["fmt"]):
        assert run(monkeypatch, PROGRAM, *arguments) == 0
    assert capsys.readouterr().out.endswith(PROGRAM)
    assert app.run(["run", "out/stdin", "--check", "--calls", "1"]) == 0


def test_a_file_of_that_name_is_named_with_its_folder(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("-").write_text(PROGRAM)
    assert app.run(["check", "./-"]) == 0
    assert capsys.readouterr().err == "./-: ok\n"
