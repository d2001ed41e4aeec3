"""Upstream's parser, verifier and canonicaliser on a lowered pipeline."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from hetc.compiler.upstream.lowering import Lowered
from hetc.diagnostics import EXIT_ENVIRONMENT, Diagnostic, DiagnosticError
from hetc.runtime.environment import require
from hetc.source import SourceFile, Span, plain_file_name

PACKAGE = "torch-mlir"
"""What brings upstream's Python bindings: the project itself publishes none to the package index."""
CANONICALISER = "builtin.module(canonicalize,cse)"
_LOCATION = re.compile(r'"(?P<file>(?:[^"\\]|\\.)*)":(?P<line>\d+):(?P<column>\d+)')


@dataclass(frozen=True)
class Verdict:
    """errors: what upstream rejects, none where it agrees. canonical: the text after its canonicaliser, "" with errors.
    operations: how many ops were verified, and how many the canonicaliser left."""

    errors: tuple[Diagnostic, ...]
    canonical: str = ""
    operations: tuple[int, int] = (0, 0)


def load_bindings() -> tuple[ModuleType, ModuleType]:
    """Upstream's modules `ir` and `passmanager`. Raises DiagnosticError (exit 3) where they are not there."""
    require(PACKAGE)
    try:
        return import_module("torch_mlir.ir"), import_module("torch_mlir.passmanager")
    except ImportError as error:
        message = f"{PACKAGE} is installed, but cannot be imported: {error}"
        help = "pip install --force-reinstall 'hetc[mlir]'"
        raise DiagnosticError(Diagnostic("error", "HET501", message, help=help), EXIT_ENVIRONMENT) from error


def verify(lowered: Lowered, source: SourceFile) -> Verdict:
    """Parse, verify and canonicalise. `source` is what the errors point into. Raises as `load_bindings`."""
    ir, passmanager = load_bindings()
    with ir.Context():
        try:
            module = ir.Module.parse(lowered.text)
            module.operation.verify()
            before = _operations(module.operation)
            passmanager.PassManager.parse(CANONICALISER).run(module.operation)
            return Verdict((), str(module), (before, _operations(module.operation)))
        except ir.MLIRError as error:
            return Verdict(tuple(rejections(error, lowered, source)))


def _operations(root: Any) -> int:
    """The ops in `root`, which is none of them."""
    nested = [op for region in root.regions for block in region for op in block]
    return len(nested) + sum(_operations(op.operation) for op in nested)


def rejections(error: Any, lowered: Lowered, source: SourceFile) -> list[Diagnostic]:
    """What an MLIRError says, at least one diagnostic."""
    found = []
    for item in error.error_diagnostics:
        notes = [note.message for note in item.notes]
        place = _place(str(item.location), source)
        if place is None and (at := _LOCATION.search(str(item.location))) is not None:
            # In the text that was parsed: shown, since it is in no file.
            lines = lowered.text.splitlines()[int(at["line"]) - 1 : int(at["line"])]
            notes += [f"in the lowered text: {line.strip()}" for line in lines]
        found.append(_rejection(item.message, place, notes))
    return found or [_rejection(str(error), None, [])]


def _rejection(message: str, place: Span | None, notes: list[str]) -> Diagnostic:
    return Diagnostic(
        "error",
        "HET340",
        f"upstream MLIR rejects the lowered pipeline: {message}",
        place,
        notes=tuple(notes),
        help="please report this defect of hetc",
    )


def _place(location: str, source: SourceFile) -> Span | None:
    """The line of our source that a location names, if it does."""
    for found in _LOCATION.finditer(location):
        line = int(found["line"])
        if found["file"] == plain_file_name(source.name) and source.first_line <= line <= source.last_line:
            start = source.offset_of(line, int(found["column"]))
            return source.span(start, source.line_end(line))
    return None
