"""examples/bm25/search.py over a few passages, emulated, against the reference; its messages."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from hetc.cache import cache_folder
from tests.examples.bm25_reference import Index, best
from tests.executors import ROOT

SCRIPT = ROOT / "examples" / "bm25" / "search.py"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HETC_CACHE_DIR", str(tmp_path))


@pytest.fixture(scope="module")
def search() -> ModuleType:
    pytest.importorskip("tokenizers")
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        spec = importlib.util.spec_from_file_location("bm25_search", SCRIPT)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(SCRIPT.parent))
    return module


def test_passages_found_are_the_reference_s(search: ModuleType) -> None:
    collection = search.Collection(search.passages()[::40])
    engine = search.Search(collection, "mi210+u55c", "emulation")
    engine.append_passages()
    index = Index(collection.rows.tolist())
    for words in ("open a file for reading", "return the number of bytes", "thread lock lock"):
        scores = index.scores(collection.query(words)[0].tolist())
        expected = [n for n in best(scores, 16) if scores[n] > 0]
        found = list(engine.best(words))
        np.testing.assert_allclose([score for score, _ in found], [scores[n] for n in expected], rtol=2e-5)
        assert found[0][1] == collection.passages[expected[0]]


def test_passages_are_read_again_where_what_was_kept_is_damaged(
    search: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = [search.Passage("io.open", "Open a file."), search.Passage("os.remove", "Remove the file.")]
    monkeypatch.setattr(search, "passages", lambda: chosen)
    assert search.kept_passages() == chosen
    monkeypatch.setattr(search, "passages", lambda: chosen[:1])
    assert search.kept_passages() == chosen
    (path,) = cache_folder("bm25-search").glob("*/passages.json")
    path.write_text("[]")
    assert search.kept_passages() == chosen[:1]


def test_words_that_no_passage_has_are_said(search: ModuleType) -> None:
    texts = {"io.open": "Open a file.", "os.remove": "Remove the file."}
    collection = search.Collection([search.Passage(*item) for item in texts.items()])
    assert collection.unknown("the Xyzzyx file") == ["Xyzzyx"]
    assert np.all(collection.query("Xyzzyx") == -1)


@pytest.mark.parametrize("arguments", [[], ["-k", "0", "x"], ["-k", "17", "x"], ["--mode", "x", "y"]])
def test_wrong_usage_is_said_in_a_line(arguments: list[str]) -> None:
    run = subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "Traceback" not in run.stderr and run.stderr.splitlines()[-1].startswith("search.py: error:")


@pytest.mark.full
def test_the_whole_library_from_the_command_line() -> None:
    command = [sys.executable, str(SCRIPT), "-k", "2", "--mode", "emulation", "create a temporary directory"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "running on" in run.stdout and "1. tempfile" in run.stdout
