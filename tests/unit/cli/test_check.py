"""`hetc check` and the printed forms: the front end from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hetc.compiler.cli import app
from hetc.compiler.cli.emit import forms

GOOD = """pipeline demo grows T by 1:
    dim T <= 4096
    dim D = 16
    input q: f32[D]
    memory keys: f32[T, D]
    prepare:
        append(keys, q)
    relevancy:
        s[t] = sum[d](q[d] * keys[t, d])
    retrieve:
        picked[j] = topk[t](s[t], 4)
    output picked
"""
BAD = GOOD.replace("keys[t, d])", "kyes[t, d])").replace("topk[t](s[t], 4)", "topk[t](z[t], 4)")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "demo.mp"
    path.write_text(GOOD)
    return path


def test_a_right_program(program, capsys):
    assert app.run(["check", str(program)]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"{program}: ok\n"
    assert app.run(["check", "-q", str(program)]) == 0
    assert capsys.readouterr().err == ""


def test_every_error_is_said_with_its_line(tmp_path, capsys):
    path = tmp_path / "demo.mp"
    path.write_text(BAD)
    assert app.run(["check", str(path)]) == 1
    err = capsys.readouterr().err
    assert f"{path}:9:30" in err
    assert "did you mean `keys`?" in err
    assert f"{path}:11:29" in err


def test_json_has_a_range_a_code_and_a_message(tmp_path, capsys):
    path = tmp_path / "demo.mp"
    path.write_text(BAD)
    assert app.run(["check", str(path), "--format", "json"]) == 1
    captured = capsys.readouterr()
    assert captured.err == ""
    first = json.loads(captured.out)[0]
    assert first["range"]["start"] == {"line": 9, "column": 30}
    assert first["code"].startswith("HET1")
    assert first["severity"] == "error"


def test_a_right_program_is_an_empty_list(program, capsys):
    assert app.run(["check", str(program), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_warnings_are_shown_and_do_not_fail(tmp_path, capsys):
    path = tmp_path / "demo.mp"
    path.write_text(GOOD.replace("    input q", "    dim Z = 3\n    input q"))
    assert app.run(["check", str(path)]) == 0
    assert "warning[HET109]" in capsys.readouterr().err


def test_an_unknown_dim_is_a_usage_error(program, capsys):
    assert app.run(["check", str(program), "-D", "TT=4"]) == 2
    assert "did you mean `T`?" in capsys.readouterr().err


def test_the_command_line_goes_before_the_file(program, tmp_path, capsys):
    dims = tmp_path / "dims.toml"
    dims.write_text("[dims]\nT = 8\nD = 4\n")
    arguments = ["compile", str(program), "--emit", "mp", "--dims", str(dims), "-D", "T=64"]
    assert app.run(arguments) == 0
    out = capsys.readouterr().out
    assert "mp.dim @T bound 64" in out
    assert "mp.dim @D size 4" in out


def test_the_tree_is_printed_with_places(program, capsys):
    assert app.run(["compile", str(program), "--emit", "ast"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Pipeline(name='demo'")
    assert "Call(function='sum')  @9:16" in out


@pytest.mark.parametrize("form", ["explicit", "expanded"])
def test_a_stage_is_printed_as_ir_that_parses(program, capsys, form):
    from xdsl.parser import Parser

    from hetc.dialects.registry import new_context

    assert app.run(["compile", str(program), "--emit", form]) == 0
    Parser(new_context(), capsys.readouterr().out).parse_module().verify()


def test_an_unknown_form_lists_the_forms(program, capsys):
    assert app.run(["compile", str(program), "--emit", "hsl-cpp"]) == 2
    err = capsys.readouterr().err
    assert all(form in err for form in forms())
    assert "did you mean `hls-cpp`?" in err


def test_checking_imports_neither_torch_nor_triton_nor_the_passes(program):
    script = (
        "import sys\nfrom hetc.compiler.cli import app\n"
        f"assert app.run(['check', {str(program)!r}]) == 0\n"
        "print([n for n in ('torch', 'triton', 'rich', 'pydantic', 'hetc.compiler.driver') if n in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
