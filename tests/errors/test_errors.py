"""Each `<mistake>.mp` beside this file is refused, and what is said about it is pinned whole in `<mistake>.stderr`."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hetc.compiler.driver import Options, compile_source_file
from hetc.compiler.frontend import check_source
from hetc.diagnostics import DiagnosticError, Diagnostics, render_all
from hetc.source import SourceFile, read_source

CASES = sorted(Path(__file__).parent.glob("*.mp"))
# No wrong program takes long to refuse; generous, for a loaded machine.
SECONDS = 10


def diagnose(path: Path) -> Diagnostics:
    try:
        source = read_source(path)
    except DiagnosticError as error:
        found = Diagnostics()
        found.extend(error.diagnostics)
        return found
    source = SourceFile(path.name, source.text)
    found = check_source(source)[1]
    if not found.has_errors:  # what is wrong shows where it is compiled
        try:
            compile_source_file(source, Options())
        except DiagnosticError as error:
            found.extend(error.diagnostics)
    return found


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_error(path: Path, update_golden: bool) -> None:
    start = time.perf_counter()
    diagnostics = diagnose(path)
    assert time.perf_counter() - start < SECONDS
    assert diagnostics.has_errors, f"{path.name} compiles"
    text = render_all(diagnostics).replace(str(path.parent) + "/", "") + "\n"
    expected = path.with_suffix(".stderr")
    if update_golden:
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


def test_no_stale_expectations() -> None:
    names = {path.stem for path in CASES}
    assert {path.stem for path in Path(__file__).parent.glob("*.stderr")} == names
