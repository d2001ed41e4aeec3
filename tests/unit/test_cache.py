"""What is kept from run to run: whole or not there, and not used once it is damaged."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from hetc.cache import cache_folder, is_kept, kept, using
from hetc.diagnostics import EXIT_ENVIRONMENT, DiagnosticError
from hetc.manifest import MANIFEST, DamagedManifest, changed_files, read_manifest, replacing, seal


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HETC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("HETC_ALWAYS_COMPILE", raising=False)
    return tmp_path / "cache"


class Maker:
    """Fills an entry, and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, folder: Path) -> dict[str, int]:
        self.count += 1
        (folder / "inner").mkdir()
        (folder / "inner" / "a.bin").write_bytes(b"content")
        (folder / "b.txt").write_text("text")
        return {"version": 3}


def truncated(entry: Path) -> None:
    with open(entry / "inner" / "a.bin", "r+b") as file:
        file.truncate(3)


def replaced(entry: Path) -> None:
    (entry / "inner" / "a.bin").write_bytes(b"CONTENT")


def removed(entry: Path) -> None:
    (entry / "b.txt").unlink()


def a_folder_instead(entry: Path) -> None:
    (entry / "b.txt").unlink()
    (entry / "b.txt").mkdir()


def without_manifest(entry: Path) -> None:
    (entry / MANIFEST).unlink()


def broken_manifest(entry: Path) -> None:
    (entry / MANIFEST).write_text("{")


def other_manifest(entry: Path) -> None:
    (entry / MANIFEST).write_text("[]")


def edited_manifest(entry: Path) -> None:
    said = json.loads((entry / MANIFEST).read_text())
    (entry / MANIFEST).write_text(json.dumps({**said, "version": 4}))


def a_file_instead(entry: Path) -> None:
    shutil.rmtree(entry)
    entry.write_text("")


DAMAGES = [
    truncated, replaced, removed, a_folder_instead, without_manifest, broken_manifest, other_manifest, edited_manifest,
    a_file_instead,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda item: item.__name__)
def test_a_damaged_entry_is_made_again_and_says_so(
    root: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hetc")
    make = Maker()
    entry = kept("things", "key", make)
    assert kept("things", "key", make) == entry == root / "things" / "key" and make.count == 1
    assert not caplog.records
    damage(entry)
    assert not is_kept(entry)
    caplog.clear()
    assert kept("things", "key", make) == entry and make.count == 2
    assert [record.getMessage().partition(": ")[0] for record in caplog.records] == [f"{entry} is made again"]
    assert (entry / "inner" / "a.bin").read_bytes() == b"content" and (entry / "b.txt").read_text() == "text"
    assert read_manifest(entry)["version"] == 3
    assert not [path for path in entry.parent.iterdir() if path.name.startswith(".")]


def test_it_is_made_again_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    make = Maker()
    kept("things", "key", make)
    monkeypatch.setenv("HETC_ALWAYS_COMPILE", "1")
    kept("things", "key", make)
    assert make.count == 2


def test_what_fails_leaves_nothing(root: Path) -> None:
    def fail(folder: Path) -> dict[str, int]:
        (folder / "half").write_text("")
        raise KeyError("failed")

    with pytest.raises(KeyError):
        kept("things", "key", fail)
    assert not list((root / "things").iterdir())


def test_a_cache_that_cannot_be_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root.write_text("a file where the folder should be")
    assert refused().endswith("/things/key` cannot be used: not a directory")
    monkeypatch.setenv("HETC_CACHE_DIR", "/proc/none")
    assert refused() == "the cache at `/proc/none/things/key` cannot be used: no such file or directory"
    monkeypatch.setenv("HETC_CACHE_DIR", "/tmp/" + "n" * 300)
    assert refused().endswith("cannot be used: file name too long")
    monkeypatch.setenv("HETC_CACHE_DIR", "~/here")
    assert cache_folder("things") == Path.home() / "here" / "things"
    monkeypatch.setenv("HETC_CACHE_DIR", "relative")
    assert cache_folder("things") == Path.cwd() / "relative" / "things", "the same from every directory"
    monkeypatch.setenv("HETC_CACHE_DIR", "")
    monkeypatch.setenv("HOME", str(root))
    assert cache_folder("things") == root / ".cache" / "hetc" / "things"


def refused() -> str:
    with pytest.raises(DiagnosticError) as caught:
        kept("things", "key", Maker())
    assert caught.value.exit_code == EXIT_ENVIRONMENT
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "HET503"
    assert diagnostic.help == "name a folder that can be written in HETC_CACHE_DIR"
    return diagnostic.message


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("HETC_CACHE_DIR", raising=False)
    monkeypatch.setattr(Path, "home", none)
    assert refused() == "the cache at `~` cannot be used: there is no such home directory"
    monkeypatch.setenv("HETC_CACHE_DIR", "~nobody-of-this-name/cache")
    assert refused().startswith("the cache at `~nobody-of-this-name/cache` cannot be used: ")


def test_a_cache_that_disappears_meanwhile(root: Path) -> None:
    def remove(folder: Path) -> dict[str, int]:
        shutil.rmtree(root)
        (folder / "late").write_text("")
        return {}

    with pytest.raises(DiagnosticError, match="cannot be used: no such file or directory"):
        kept("things", "key", remove)
    kept("things", "key", Maker())
    with pytest.raises(DiagnosticError, match="cannot be used: no such file or directory"), using(root):
        shutil.rmtree(root)
        (root / "late").read_text()


def test_processes_that_write_one_entry_at_once(root: Path) -> None:
    """Each that waits for the other's entry sees nothing or all of it."""
    program = """
        import sys
        from hetc.cache import kept
        from hetc.manifest import damage

        def fill(folder):
            for number in range(20):
                (folder / str(number)).write_bytes(bytes([number]) * 4096)
            return {}

        for number in range(60):
            entry = kept("things", "key", fill)
            found = damage(entry)
            # Another process may be about to put its own in this one's place.
            if found is not None and "No such file" not in found and "missing" not in found:
                sys.exit(found)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    environment = {**os.environ, "HETC_ALWAYS_COMPILE": "1"}
    running = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) for _ in range(3)]
    for process in running:
        _, message = process.communicate()
        assert process.returncode == 0, message.decode()
    assert is_kept(root / "things" / "key")
    assert [path.name for path in (root / "things").iterdir()] == ["key"]


def test_what_another_process_made_meanwhile_stays(root: Path) -> None:
    """It may have been loaded already."""

    def fill(folder: Path) -> dict[str, int]:
        kept("things", "key", Maker())
        (folder / "late").write_text("")
        return {}

    entry = kept("things", "key", fill)
    assert is_kept(entry) and not (entry / "late").exists()


def test_a_manifest_says_what_changed(tmp_path: Path) -> None:
    Maker()(tmp_path)
    seal(tmp_path, {"of": "demo"})
    manifest = read_manifest(tmp_path)
    assert set(manifest) == {"of", "files", "sha256"} and not changed_files(tmp_path, manifest)
    (tmp_path / "b.txt").write_text("other")
    (tmp_path / "inner" / "a.bin").unlink()
    (tmp_path / "added").write_text("")
    assert changed_files(tmp_path, manifest) == {"b.txt": "edited", "inner/a.bin": "missing"}
    (tmp_path / MANIFEST).write_text(json.dumps({"files": {}}))
    with pytest.raises(DamagedManifest, match="no hash of its own"):
        read_manifest(tmp_path)


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "out"
    for text in ("first", "second"):
        with replacing(target) as aside:
            (aside / text).write_text(text)
    assert [path.name for path in target.iterdir()] == ["second"]
    with pytest.raises(RuntimeError), replacing(target) as aside:
        raise RuntimeError
    assert [path.name for path in target.iterdir()] == ["second"]
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), OSError(5, "Input/output error")])
def test_what_was_there_comes_back_where_the_new_does_not_arrive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruption: BaseException
) -> None:
    target = tmp_path / "out"
    with replacing(target) as aside:
        (aside / "first").write_text("")
    rename = os.replace

    def second_fails(source: Path, place: Path) -> None:
        if Path(place) == target and Path(source).name != "old" and not target.exists():
            raise interruption
        rename(source, place)

    monkeypatch.setattr(os, "replace", second_fails)
    with pytest.raises(type(interruption)), replacing(target) as aside:
        (aside / "second").write_text("")
    assert [path.name for path in target.iterdir()] == ["first"]
    assert list(tmp_path.iterdir()) == [target]
