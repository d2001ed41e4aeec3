"""A pipeline written twice, as `NAME.mp` and as `NAME.py` beside it, is one program: the same IR but for places."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from xdsl.dialects.builtin import FileLineColLoc
from xdsl.printer import Printer

from hetc.compiler.driver import Options, front_end
from hetc.source import read_source

ROOT = Path(__file__).parents[3]
# Beside a pipeline stand other scripts of the example; the twin has the pipeline's own name.
TWINS = sorted(path for path in ROOT.glob("examples/*/*.mp") if path.with_suffix(".py").exists())


def ir_text(path: Path) -> str:
    """The module, printed without locations."""
    stream = StringIO()
    Printer(stream=stream).print_op(front_end(read_source(path), Options()))
    return stream.getvalue()


def test_there_are_twins() -> None:
    names = {"dsa", "bm25", "seerattention_topk", "seerattention_threshold", "lserve", "hmt", "titans", "lact"}
    names |= {"rag_dragin", "rag_flare", "rag_fs", "rag_two_stage", "memagent", "decoder"}
    names |= {"nsa", "moba", "csa", "indexer_shared", "indexer_pooled", "indexer_two_level"}
    assert {path.stem for path in TWINS} >= names


@pytest.mark.parametrize("path", TWINS, ids=lambda path: path.stem)
def test_both_forms_give_the_same_ir(path: Path) -> None:
    text = ir_text(path)
    assert ir_text(path.with_suffix(".py")) == text
    assert "mp.step" in text


@pytest.mark.parametrize("path", TWINS, ids=lambda path: path.stem)
def test_locations_point_into_the_python_file(path: Path) -> None:
    """Each statement's location is a line that holds the name that it defines."""
    twin = path.with_suffix(".py")
    lines = twin.read_text().splitlines()
    ops = [op for op in front_end(read_source(twin), Options()).walk() if "stage" in op.attributes]
    assert ops
    for op in ops:
        assert isinstance(op.location, FileLineColLoc)
        if op.location.filename.data == "prelude.mp":  # of a function that every program has
            continue
        assert op.location.filename.data == twin.name
        place = lines[op.location.line.data - 1][op.location.column.data - 1 :]
        assert place[:1].isalpha(), f"{op.name} at {op.location}: {place!r}"
