"""The folder that builds are kept in, and machines that have none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hetc.diagnostics import EXIT_ENVIRONMENT, DiagnosticError
from hetc.runtime.cache import cache_folder
from hetc.runtime.csim import build
from hetc.runtime.csim_errors import CsimError

TEXT = {"one.cpp": 'extern "C" void one(int* out) { out[0] = 1; }\n'}


def refused() -> str:
    with pytest.raises(DiagnosticError) as caught:
        build(TEXT, "one", optimise="-O0")
    assert caught.value.exit_code == EXIT_ENVIRONMENT
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "HET503"
    assert diagnostic.help == "name a directory that can be written in HETC_CACHE_DIR"
    return diagnostic.message


def test_where_builds_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HETC_CACHE_DIR", str(tmp_path))
    assert cache_folder("csim") == tmp_path / "csim"
    monkeypatch.setenv("HETC_CACHE_DIR", "relative")
    assert cache_folder("csim") == Path.cwd() / "relative" / "csim", "the same from every directory"
    monkeypatch.setenv("HETC_CACHE_DIR", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder("csim") == tmp_path / ".cache" / "hetc" / "csim"


def test_a_file_stands_where_the_folder_would(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HETC_CACHE_DIR", str(tmp_path / "file"))
    assert refused() == f"cannot keep builds in `{tmp_path}/file/csim`: not a directory"


def test_a_folder_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HETC_CACHE_DIR", "/proc/none")
    assert refused() == "cannot keep builds in `/proc/none/csim`: no such file or directory"


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("HETC_CACHE_DIR", raising=False)
    monkeypatch.setattr(Path, "home", none)
    assert refused() == "this user has no home directory to keep builds in"


def test_a_build_that_is_there_in_part_is_built_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HETC_CACHE_DIR", str(tmp_path / "one"))
    library = build(TEXT, "one", optimise="-O0").library
    shutil.copytree(tmp_path / "one", tmp_path / "other")
    (library.parent / "warnings.txt").unlink()
    assert build(TEXT, "one", optimise="-O0").library == library
    assert (library.parent / "warnings.txt").exists()
    monkeypatch.setenv("HETC_CACHE_DIR", str(tmp_path / "other"))  # where nothing was loaded from yet
    damaged = tmp_path / "other" / library.relative_to(tmp_path / "one")
    damaged.write_bytes(b"\x7fELF")
    with pytest.raises(CsimError, match=rf"the build in '{damaged.parent}' cannot be used: .*Remove it, and run again"):
        build(TEXT, "one", optimise="-O0")
