"""`hetc compile --emit=FORM`: one form of the program on standard output, nothing written."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hetc.compiler.cli.common import unknown
from hetc.compiler.forms import text_forms
from hetc.source import SourceFile, Span

if TYPE_CHECKING:
    from hetc.compiler.driver import Options


def forms() -> tuple[str, ...]:
    """Every form that can be printed, in the order in which a program takes them."""
    from hetc.compiler.pipeline import STAGE_NAMES

    return ("ast", *STAGE_NAMES, *text_forms())


def print_form(source: SourceFile, options: Options, form: str) -> int:
    """Print `source` as `form`. Raises DiagnosticError: exit 2 for an unknown form, 1 for a wrong program."""
    if form not in forms():
        raise unknown("form", form, forms())
    if form == "ast":
        from hetc.compiler.embedding.read import parse_source

        print("\n".join(tree_lines(parse_source(source))))
        return 0
    from hetc.compiler.driver import compile_source_file, lower_source_file

    if form not in text_forms():
        from xdsl.printer import Printer

        Printer(stream=sys.stdout).print_op(lower_source_file(source, options, until=form).module)
        print()
        return 0
    printed = text_forms()[form]
    files = compile_source_file(source, options).files
    chosen = {
        path: text for path, text in files.items() if path.startswith(printed.folder) and path.endswith(printed.endings)
    }
    if not chosen:
        print(f"no {form}: nothing of this pipeline was placed there", file=sys.stderr)
    for path, text in chosen.items():
        if len(chosen) > 1:
            print(f"==> {path} <==")
        print(text, end="" if text.endswith("\n") else "\n")
    return 0


def tree_lines(node: Any, label: str = "", depth: int = 0) -> Iterator[str]:
    """A syntax tree as indented lines: a node's class and plain fields that say something, its children below it."""
    pad = "  " * depth
    name = f"{label}: " if label else ""
    if isinstance(node, tuple):
        for number, item in enumerate(node):
            yield from tree_lines(item, f"{label}[{number}]", depth)
    elif dataclasses.is_dataclass(node):
        values = [
            (field.name, getattr(node, field.name))
            for field in dataclasses.fields(node)
            if not isinstance(getattr(node, field.name), Span | SourceFile)
            and getattr(node, field.name) != field.default
        ]
        plain = [f"{key}={value!r}" for key, value in values if not _is_tree(value)]
        line = getattr(node, "span", None)
        place = f"  @{line.line}:{line.column}" if isinstance(line, Span) else ""
        yield f"{pad}{name}{type(node).__name__}({', '.join(plain)}){place}"
        for key, value in values:
            if _is_tree(value):
                yield from tree_lines(value, key, depth + 1)
    else:
        yield f"{pad}{name}{node!r}"


def _is_tree(value: object) -> bool:
    return dataclasses.is_dataclass(value) or isinstance(value, tuple)
