"""docs/tour.md: each block is what the compiler makes of the statement at the top, after the pass that it names."""

from __future__ import annotations

import re
from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.printer import Printer

from hetc.compiler.driver import Options, compile_source_file
from hetc.dialects.mp import ComputeOp
from hetc.dialects.nest import PhaseOp
from hetc.source import SourceFile

PAGE = Path(__file__).parents[3] / "docs" / "tour.md"
BLOCK = re.compile(r"(?ms)^```(?P<kind>mp|mlir after=(?P<flag>[\w-]+)|cpp)\n(?P<text>.*?)^```\n")


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """What each block is to hold, by what stands behind its fence."""
    (source,) = (block["text"] for block in BLOCK.finditer(PAGE.read_text()) if block["kind"] == "mp")
    found = {"mp": source}

    def after_pass(passed: ModulePass, module: ModuleOp, seconds: float) -> None:
        found[f"mlir after={passed.name}"] = "".join(_printed(op) for op in module.walk() if _is_shown(op, module))

    compilation = compile_source_file(SourceFile("tour.mp", source), Options("cpu"), after_pass=after_pass)
    (text,) = (text for name, text in compilation.files.items() if str(name).endswith(".cpp"))
    found["cpp"] = text[text.index("  // tour.mp") :].removesuffix("}\n")
    return found


def _is_shown(op: Operation, module: ModuleOp) -> bool:
    """Loops, once there are some, else the statement."""
    has_loops = any(isinstance(item, PhaseOp) for item in module.walk())
    return isinstance(op, PhaseOp if has_loops else ComputeOp)


def _printed(op: Operation) -> str:
    stream = StringIO()
    Printer(stream=stream).print_op(op)
    return stream.getvalue() + "\n"


def test_every_block_is_what_the_compiler_makes(made: dict[str, str], update_golden: bool) -> None:
    page = PAGE.read_text()
    now = BLOCK.sub(lambda block: f"```{block['kind']}\n{made[block['kind']]}```\n", page)
    if update_golden:
        PAGE.write_text(now)
    assert PAGE.read_text() == now


def test_the_tour_leaves_no_step_out(made: dict[str, str]) -> None:
    """Every pass over loops that changes the statement has a block."""
    shown = [block["kind"] for block in BLOCK.finditer(PAGE.read_text())]
    loops = [kind for kind, text in made.items() if text.startswith("nest.phase")]
    changes = [kind for before, kind in pairwise(loops) if made[kind] != made[before]]
    assert [kind for kind in shown if kind in loops] == [loops[0], *changes]
