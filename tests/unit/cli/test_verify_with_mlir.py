"""`--verify-with-mlir` where it cannot run; what it finds is tested in tests/upstream."""

from __future__ import annotations

from pathlib import Path

import pytest

from hetc.compiler.cli import app
from hetc.diagnostics import EXIT_ENVIRONMENT, EXIT_USAGE
from hetc.runtime import environment

PROGRAM = "pipeline p:\n    dim D = 4\n    input x: f32[D]\n    apply:\n        o[d] = x[d] * 2\n    output o\n"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "p.mp"
    path.write_text(PROGRAM)
    return path


@pytest.fixture
def _no_bindings(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = environment.installed_version
    monkeypatch.setattr(
        environment, "installed_version", lambda name: None if name == "torch-mlir" else installed(name)
    )


@pytest.mark.usefixtures("_no_bindings")
@pytest.mark.parametrize("command", ["check", "compile"])
def test_absent_bindings_are_named_with_how_to_get_them(
    command: str, program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = program.parent / "out"
    options = ["-o", str(out)] if command == "compile" else []
    assert app.run([command, str(program), *options, "--verify-with-mlir"]) == EXIT_ENVIRONMENT
    said = capsys.readouterr().err
    assert "error[HET501]: torch-mlir is needed" in said and "pip install 'hetc[mlir]'" in said
    assert not out.exists()


@pytest.mark.usefixtures("_no_bindings")
def test_a_wrong_program_needs_no_bindings_to_be_found_wrong(program: Path) -> None:
    program.write_text(PROGRAM.replace("x[d]", "y[d]"))
    assert app.run(["check", str(program), "--verify-with-mlir"]) == 1


def test_a_printed_form_is_not_verified(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["compile", str(program), "--emit", "mp", "--verify-with-mlir"]) == EXIT_USAGE
    assert "--verify-with-mlir" in capsys.readouterr().err
