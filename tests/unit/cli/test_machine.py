"""What the machine refuses ends in a diagnostic and an exit code, and leaves nothing half written."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest

from hetc.compiler import verify
from hetc.compiler.cli import app
from hetc.runtime import environment
from hetc.runtime.csim_errors import CompilerFailedError
from hetc.runtime.triton_interpreter import EmulationUnavailable

PROGRAM = """pipeline p:
    dim D = 4
    input x: f32[D]
    apply:
        y[d] = 2 * x[d]
    output y
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "p.mp"
    path.write_text(PROGRAM)
    return path


@pytest.fixture
def out(program: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    folder = program.parent / "out"
    assert compiled(program, folder) == 0
    capsys.readouterr()
    return folder


def compiled(program: Path, out: Path | str) -> int:
    return app.run(["compile", str(program), "-p", "mi210", "-o", str(out)])


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def raising(error: BaseException) -> click.Command:
    def fail() -> None:
        raise error

    return click.Command("check", callback=fail)


# The work directory


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_without_room_leaves_the_directory_as_it_was(program, out, capsys):
    before = content(program.parent)
    with files_of_at_most(500):
        assert compiled(program, out) == 3
    assert f"cannot write `{out}`: file too large" in capsys.readouterr().err
    assert content(program.parent) == before


def test_a_full_disk_writes_nothing(program, capsys, monkeypatch):
    def full(self: Path, *arguments: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    monkeypatch.setattr(Path, "write_text", full)
    assert compiled(program, program.parent / "out") == 3
    assert "HET503" in (err := capsys.readouterr().err)
    assert "no space left on device" in err
    assert os.listdir(program.parent) == ["p.mp"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), OSError(errno.EIO, "Input/output error")])
def test_what_was_there_comes_back_where_the_new_does_not_arrive(program, out, monkeypatch, interruption):
    before = content(program.parent)
    rename = os.replace

    def second_fails(source: Path, target: Path) -> None:
        if Path(target) == out and Path(source).name != "old" and not out.exists():
            raise interruption
        rename(source, target)

    monkeypatch.setattr(os, "replace", second_fails)
    assert compiled(program, out) == (130 if isinstance(interruption, KeyboardInterrupt) else 3)
    assert content(program.parent) == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("p.mp", "exists and is not a work directory"),
        ("p.mp/under", "file exists"),
        ("n" * 300, "file name too long"),
        ("loop", "exists and is not a work directory"),
        ("/proc/none/out", "no such file or directory"),
    ],
)
def test_an_output_that_cannot_be_a_directory(program, capsys, name, words):
    (program.parent / "loop").symlink_to("loop")
    assert compiled(program, program.parent / name) == 2
    err = capsys.readouterr().err
    assert "HET408" in err
    assert words in err
    assert (program.read_text(), sorted(os.listdir(program.parent))) == (PROGRAM, ["loop", "p.mp"])


def test_the_current_directory_is_not_replaced(program, capsys, monkeypatch):
    empty = program.parent / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    assert compiled(program, ".") == 2
    assert "is the current directory" in capsys.readouterr().err


def test_a_current_directory_that_is_gone(program, capsys, monkeypatch):
    gone = program.parent / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert compiled(program, "out") == 2
    assert "cannot write `out`: no such file or directory" in capsys.readouterr().err
    monkeypatch.setattr("hetc.compiler.cli.check.command", raising(FileNotFoundError(errno.ENOENT, "No such file")))
    assert app.run(["check"]) == 3
    assert "the current directory is no longer there" in capsys.readouterr().err


# Output


def test_output_that_finds_no_room(capsys, monkeypatch):
    with instead_of("stdout", open("/dev/full", "w"), monkeypatch):
        assert app.run(["platform", "list"]) == 3
    assert "no space left on device" in capsys.readouterr().err


def broken_pipe() -> io.TextIOWrapper:
    reader, writer = os.pipe()
    os.close(reader)
    return open(writer, "w")


@contextmanager
def instead_of(name: str, stream: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`stream` as sys.stdout or sys.stderr; what it still holds at the end is lost."""
    with monkeypatch.context() as patch, contextlib.suppress(OSError), stream:
        patch.setattr(sys, name, stream)
        yield


def test_a_reader_that_has_gone(program, monkeypatch):
    """The answer was read as far as it was wanted; an error keeps its exit code."""
    with instead_of("stdout", broken_pipe(), monkeypatch):
        assert app.run(["explain", str(program), "--json"]) == 0
    with instead_of("stderr", broken_pipe(), monkeypatch):
        assert app.run(["check", "nothing.mp"]) == 2
        assert app.run(["check", "--nothing"]) == 2
        assert compiled(program, program.parent / "out") == 0, "remarks that nobody reads stop no work"
    assert (program.parent / "out" / "manifest.json").exists()


def test_closed_streams_and_what_they_cannot_show(tmp_path):
    name = tmp_path / "p\udcffé.mp"
    name.write_text(PROGRAM.replace("2 * x", "2*x"))
    command = f"{sys.executable} -c 'from hetc.compiler.cli import main; main()'"
    shell = f'{command} platform list >&- 2>&-; echo $?; PYTHONIOENCODING=ascii {command} fmt --check "$0"; echo $?'
    done = subprocess.run(["sh", "-c", shell, str(name)], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["0", f"{tmp_path}/p\\ufffd\\xe9.mp: would be reformatted", "1", ""]
    assert done.stderr == ""


# Memory, packages, tools


def test_memory_that_is_not_there(capsys, monkeypatch):
    error = MemoryError("Unable to allocate 512. GiB for an array")
    monkeypatch.setattr("hetc.compiler.cli.check.command", raising(error))
    assert app.run(["check"]) == 3
    err = capsys.readouterr().err
    assert "not enough memory: unable to allocate 512. GiB" in err
    assert "-D NAME=N" in err


def test_a_package_that_does_not_load(program, capsys, monkeypatch):
    broken = ImportError("libcudart.so.12: cannot open shared object file", name="torch._C")
    monkeypatch.setattr("hetc.compiler.cli.check.command", raising(broken))
    assert app.run(["check"]) == 3
    assert "cannot be imported: libcudart.so.12" in capsys.readouterr().err
    monkeypatch.setattr("hetc.compiler.cli.check.command", raising(ImportError("no such name", name="hetc.passes")))
    assert app.run(["check"]) == 70, "a module of our own that is not there is our defect"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (EmulationUnavailable("Triton 9.0 is installed"), "Triton 9.0 is installed"),
        (CompilerFailedError("the C++ compiler 'g++' was ended by SIGKILL"), "was ended by SIGKILL"),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), "No module named 'torch'"),
    ],
)
def test_a_run_that_the_machine_does_not_allow(program, capsys, monkeypatch, error, words):
    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(verify, "run", fail)
    monkeypatch.setattr(environment, "require", lambda *names: None)
    assert app.run(["run", str(program), "-p", "mi210"]) == 3
    err = capsys.readouterr().err
    assert "HET501" in err
    assert words in err


def test_paths_that_are_too_long_to_be_looked_at(capsys):
    for command in ("run", "explain", "inspect", "check"):
        assert app.run([command, "n" * 5000]) == 2
        assert "HET40" in capsys.readouterr().err
