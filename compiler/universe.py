"""Our dialects, passes and printed forms, as xDSL's plug-in entry point `xdsl.universe` wants them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import IO

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.universe import Universe
from xdsl.utils.target import Target

from hetc.compiler.forms import text_forms
from hetc.devices import resolve
from hetc.diagnostics import DiagnosticError
from hetc.dialects.registry import all_dialects
from hetc.passes.registry import all_passes


def target(form: str) -> type[Target]:
    """`hetc-opt -t FORM`: the files that a backend prints of a module, each under its path."""
    printed = text_forms()[form]

    @dataclass(frozen=True)
    class FormTarget(Target):
        name = form

        def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
            backend = resolve(printed.printer)
            problems = backend.check(module)
            if problems:
                raise DiagnosticError(problems)
            for path, text in backend.emit(module).items():
                if path.endswith(printed.endings):
                    output.write(f"==> {path} <==\n{text}")

    return FormTarget


def all_targets() -> dict[str, Callable[[], type[Target]]]:
    """Form -> a function that makes its target (as xDSL's registries want it)."""
    return {form: partial(target, form) for form in text_forms()}


HETC_UNIVERSE = Universe(all_dialects=all_dialects(), all_passes=all_passes(), all_targets=all_targets())
