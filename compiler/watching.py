"""Watching a program on its way through the compiler: its form after each pass, what each took, and what a pass that
crashed was given."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TextIO

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.printer import Printer

from hetc.compiler.table import Table
from hetc.diagnostics import cannot_write

AfterPass = Callable[[ModulePass, ModuleOp, float], None]
"""Called after each pass with the module as it is now and the seconds that the pass took."""


class PassCrashed(Exception):
    """A pass failed in a way that is no diagnostic: a defect of the compiler. `reproducer` holds what it was given."""

    def __init__(self, failed: ModulePass, error: Exception):
        text = str(error).strip().splitlines()
        super().__init__(f"{type(error).__name__} in the pass {failed.name}{f': {text[0]}' if text else ''}")
        self.failed = failed
        self.reproducer: Path | None = None


def text_of(module: ModuleOp) -> str:
    """A module as text."""
    stream = StringIO()
    Printer(stream=stream).print_op(module)
    return stream.getvalue() + "\n"


@dataclass
class Watch:
    """What `hetc compile` was asked to show of its passes. dump_to: a folder for a numbered file after each pass."""

    print_after_all: bool = False
    time_passes: bool = False
    dump_to: Path | None = None
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    _times: list[tuple[str, float]] = field(default_factory=list)

    def __call__(self, passed: ModulePass, module: ModuleOp, seconds: float) -> None:
        self._times.append((passed.name, seconds))
        if self.print_after_all:
            print(f"// ----- after {passed.name} -----\n{text_of(module)}", file=self.stream)
        if self.dump_to is not None:
            path = self.dump_to / f"{len(self._times):02}-{passed.name}.mlir"
            try:
                self.dump_to.mkdir(parents=True, exist_ok=True)
                path.write_text(text_of(module))
            except OSError as error:
                raise cannot_write(str(path), error, "HET408", "name a folder that can be written") from error

    def report(self) -> None:
        """What each pass took, where that was asked for."""
        if not self.time_passes:
            return
        total = sum(seconds for _, seconds in self._times)
        table = Table("pass", "ms", "of all")
        for name, seconds in [*self._times, ("all passes", total)]:
            table.add(name, f"{seconds * 1e3:.1f}", f"{seconds / total:.0%}" if total else "-")
        print(table, file=self.stream)


def write_reproducer(crash: PassCrashed, module: ModuleOp) -> None:
    """Keep what the pass was given in a file of its own, whose first line says how to run it again."""
    spec = str(crash.failed.pipeline_pass_spec())
    with tempfile.NamedTemporaryFile("w", prefix="hetc-", suffix=".mlir", delete=False) as file:
        file.write(f"// hetc-opt -p '{spec}' {file.name}\n{text_of(module)}")
        crash.reproducer = Path(file.name)
