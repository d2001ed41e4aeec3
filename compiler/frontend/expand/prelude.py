"""The functions that every program has: those of `prelude.mp`, in the language itself."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from hetc.compiler.frontend.syntax import ast
from hetc.compiler.frontend.syntax.parse import parse_functions
from hetc.source import SourceFile


@lru_cache(maxsize=1)
def prelude() -> dict[str, ast.Function]:
    """The functions by name."""
    path = Path(__file__).with_name("prelude.mp")
    return {item.name: item for item in parse_functions(SourceFile(path.name, path.read_text(encoding="utf-8")))}
