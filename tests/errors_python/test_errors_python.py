"""Each `<mistake>.py` beside this file holds a pipeline that is refused; `<mistake>.stderr` pins what is said.

The files are read as text, and imported: both say the same.
"""

from __future__ import annotations

import runpy
import time
from pathlib import Path

import pytest

from hetc.compiler.decorator import HeteroPipeline
from hetc.compiler.driver import Options, front_end
from hetc.diagnostics import Diagnostic, DiagnosticError, render_all
from hetc.source import SourceFile, read_source

CASES = sorted(path for path in Path(__file__).parent.glob("*.py") if path.name != Path(__file__).name)
SECONDS = 10


def diagnose(path: Path) -> tuple[Diagnostic, ...]:
    with pytest.raises(DiagnosticError) as caught:
        front_end(SourceFile(path.name, read_source(path).text), Options())
    return caught.value.diagnostics


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_error(path: Path, update_golden: bool) -> None:
    start = time.perf_counter()
    text = render_all(diagnose(path)) + "\n"
    assert time.perf_counter() - start < SECONDS
    expected = path.with_suffix(".stderr")
    if update_golden:
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_an_imported_pipeline_says_the_same(path: Path) -> None:
    pipeline = runpy.run_path(str(path))[path.stem]
    assert isinstance(pipeline, HeteroPipeline)
    with pytest.raises(DiagnosticError) as caught:
        pipeline.check()
    assert str(caught.value).strip().replace(str(path), path.name) == render_all(diagnose(path))


def test_many_kinds_of_mistakes_are_pinned() -> None:
    pinned = [line for path in CASES for line in path.with_suffix(".stderr").read_text().splitlines()]
    assert len({line for line in pinned if line.startswith("error[")}) >= 60
    assert {path.stem for path in Path(__file__).parent.glob("*.stderr")} == {path.stem for path in CASES}
