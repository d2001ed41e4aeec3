"""docs/support.md: what each backend does with each construct. The page is what these tests found."""

from __future__ import annotations

from pathlib import Path

import pytest

from hetc.compiler.driver import Options, compile_source_file
from hetc.compiler.frontend import compile_source
from hetc.compiler.verify import run
from hetc.diagnostics import DiagnosticError
from hetc.source import SourceFile
from support.constructs import CONSTRUCTS, program

PAGE = Path(__file__).parents[2] / "docs" / "support.md"
KINDS = ("fpga", "gpu", "cpu")
PLATFORM = str(Path(__file__).parents[1] / "three_kinds.toml")
QUICK = [(name, kind) for kind, step in (("fpga", 9), ("gpu", 9), ("cpu", 3)) for name in tuple(CONSTRUCTS)[::step]]
HEADER = """# What each backend supports

Made by `tests/support` (`pytest tests/support -m 'full or not full' --update-golden` writes it): each construct is a
small program, compiled with its stage pinned to the device and executed there (on the processor, and under emulation: C
simulation, Triton's interpreter), every kernel compared with the float64 oracle. `yes` means that it ran and agreed;
otherwise the code of the diagnostic that refuses it stands there.

| construct | front end and oracle | FPGA | GPU | processor |
|---|---|---|---|---|
"""


def found(name: str, kind: str) -> str:
    """`yes`, or the code of the diagnostic that refuses the construct. Fails where a kernel disagrees."""
    source = SourceFile("construct.mp", program(name))
    try:
        compilation = compile_source_file(source, Options(PLATFORM, pins={"apply": kind}))
    except DiagnosticError as error:
        return f"refused, {error.diagnostics[0].code}"
    for seed in (0, 1):
        report = run(compilation, seed=seed, calls=2, largest=9)
        wrong = [f"{row.stage}: {row.note or row.max_error}" for row in report.rows if not row.ok or row.unjudged]
        assert not wrong, f"{name} on the {kind}, seed {seed}: {wrong}\n{source.text}"
    return "yes"


def understood(name: str) -> str:
    try:
        compile_source(SourceFile("construct.mp", program(name)))
    except DiagnosticError as error:
        return f"refused, {error.diagnostics[0].code}"
    return "yes"


def written() -> dict[str, tuple[str, ...]]:
    """The page's rows."""
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")][1:]
    return {row[0]: tuple(row[1:]) for row in rows}


def test_the_page_lists_every_construct() -> None:
    assert list(written()) == [name.replace("|", "\\|") for name in CONSTRUCTS]


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_the_front_end_does_what_the_page_says(name: str) -> None:
    assert understood(name) == written()[name][0]


@pytest.mark.parametrize(("name", "kind"), QUICK)
def test_some_constructs_do_what_the_page_says(name: str, kind: str) -> None:
    assert found(name, kind) == written()[name][1 + KINDS.index(kind)]


@pytest.mark.full
def test_every_construct_does_what_the_page_says(update_golden: bool) -> None:
    rows = {name: (understood(name), *(found(name, kind) for kind in KINDS)) for name in CONSTRUCTS}
    if update_golden:
        PAGE.write_text(HEADER + "".join(f"| {name} | {' | '.join(cells)} |\n" for name, cells in rows.items()))
    assert rows == written()
