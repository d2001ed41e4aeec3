"""Wrong command lines: exit code 2, the valid names listed, no traceback."""

from __future__ import annotations

import json

import click
import pytest

from hetc.compiler.cli import app, common


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = app.run(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_an_unknown_command_lists_the_valid_ones(capsys):
    code, out, err = run(capsys, "complie")
    assert (code, out) == (2, "")
    assert "there is no command `complie`" in err
    assert all(name in err for name in app.COMMANDS)
    assert "did you mean `compile`?" in err


def test_every_command_can_be_imported_and_helps(capsys):
    for name in app.COMMANDS:
        code, out, _ = run(capsys, name, "--help")
        assert code == 0
        assert out.startswith(f"Usage: hetc {name}")


def test_without_a_command_the_help_is_printed_as_a_usage_error(capsys):
    code, out, err = run(capsys)
    assert code == 2
    assert out == ""
    assert err.startswith("Usage: hetc ")
    assert "\n  compile " in err


def test_an_unknown_option_lists_the_valid_ones(capsys):
    code, _, err = run(capsys, "check", "x.mp", "--fromat", "json")
    assert code == 2
    assert "`hetc check` has no option `--fromat`" in err
    assert "valid options: --dims, -D, --format" in err
    assert "did you mean `--format`?" in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["check"], "missing argument 'FILE.mp|-'"),
        (["check", "a.mp", "b.mp"], "unexpected extra argument"),
        (["check", "a.mp", "--format", "xml"], "valid formats: text, json"),
        (["platform", "lst"], "did you mean `list`?"),
        (["platform", "show", "mi21"], "no platform is called `mi21`"),
        (["run", "a.mp", "--seed", "x"], "'x' is not a valid integer"),
        (["run", "a.mp", "--seed", "-1"], "--seed takes a number from 0"),
        (["compile", "does-not-exist.mp"], "no such file: `does-not-exist.mp`"),
        (["inspect", "does-not-exist"], "no such directory: `does-not-exist`"),
    ],
)
def test_wrong_command_lines(capsys, arguments, expected):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert expected in err
    assert "Traceback" not in err


def test_the_version(capsys):
    code, out, _ = run(capsys, "--version")
    assert code == 0
    assert out.startswith("hetc 0.")


@pytest.mark.parametrize(
    ("text", "extent"), [("65536", 65536), ("65_536", 65536), ("64k", 65536), ("2**16", 65536), ("1M", 1 << 20)]
)
def test_extents_in_each_spelling(text, extent):
    assert common.parse_dim(f"T={text}") == ("T", extent)


@pytest.mark.parametrize("text", ["T", "T=", "=4", "T=0", "T=-4", "T=4.5", "T=x", "4=T", "T=1__0", "T=2**999"])
def test_malformed_extents(text):
    with pytest.raises(common.DiagnosticError) as caught:
        common.parse_dim(text)
    assert caught.value.exit_code == 2
    assert "-D" in str(caught.value)


@pytest.mark.parametrize("text", ["relevancy", "relevancy=", "=gpu", "a b=gpu"])
def test_malformed_pins(text):
    with pytest.raises(common.DiagnosticError) as caught:
        common.parse_pin(text)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["T=2**31", "T=99_999_999_999_999_999_999_999_999", "T=9999999999**99"])
def test_extents_past_the_limit(text):
    with pytest.raises(common.DiagnosticError, match="the limit is 2147483647") as caught:
        common.parse_dim(text)
    assert len(str(caught.value)) < 150


def test_pins_that_disagree_are_refused():
    assert common.parse_pins(["a=gpu", "b=fpga", "a=gpu"]) == {"a": "gpu", "b": "fpga"}
    with pytest.raises(common.DiagnosticError, match="places `a` on gpu and on fpga"):
        common.parse_pins(["a=gpu", "a=fpga"])


def test_an_exception_of_our_own_is_called_a_defect(capsys, monkeypatch):
    def broken() -> None:
        raise RuntimeError("this table has no such row")

    monkeypatch.setitem(app.COMMANDS, "check", "check")
    monkeypatch.setattr("hetc.compiler.cli.check.command", click.Command("check", callback=broken))
    code, _, err = run(capsys, "check")
    assert code == 70
    assert "internal error: RuntimeError: this table has no such row" in err
    assert "a defect of hetc" in err
    assert "Traceback" not in err
    code, _, err = run(capsys, "-v", "check")
    assert code == 70
    assert "Traceback" in err


def test_an_interrupt_ends_without_a_traceback(capsys, monkeypatch):
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hetc.compiler.cli.check.command", click.Command("check", callback=interrupted))
    code, _, err = run(capsys, "check")
    assert code == 130
    assert "interrupted" in err
    assert "Traceback" not in err


def test_platforms_are_listed_and_shown_as_json(capsys):
    code, out, _ = run(capsys, "platform", "list", "--json")
    assert code == 0
    names = [row["name"] for row in json.loads(out)]
    assert "mi210+u55c" in names
    code, out, _ = run(capsys, "platform", "show", names[0], "--json")
    figures = json.loads(out)["figures"]
    assert code == 0
    assert any(row["figure"] == "bandwidth_bytes_per_s" and row["source"] for row in figures)
