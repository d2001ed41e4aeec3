"""The parser of a line, from the grammar."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import lark
from lark import Lark

from hetc.cache import kept
from hetc.compiler.vocabulary import BLOCKS, ROLES, STAGES
from hetc.diagnostics import DiagnosticError

_STARTS = (
    "header", "declarations", "step", "function", "returned", "stage", "statements", "layout_name",
    *BLOCKS.values(),
)  # fmt: skip
_TABLES = "tables"


@lru_cache(maxsize=1)
def line_parser() -> Lark:
    """Its tables are kept in the cache: making them takes 50 ms, reading them 5. Where nothing can be kept they are
    made each time."""
    text = grammar_text()
    parts = [text, _STARTS, lark.__version__, sys.version]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]
    try:
        with (kept("grammar", key, lambda folder: _write(text, folder)) / _TABLES).open("rb") as tables:
            return Lark.load(tables)
    except (DiagnosticError, OSError):
        return _made(text)


def grammar_text() -> str:
    """The grammar, with the words of the vocabulary."""
    text = Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8")
    for name, words in {"{ROLES}": ROLES, "{STAGES}": STAGES}.items():
        text = text.replace(name, " | ".join(f'"{word}"' for word in words))
    return text


def _made(text: str) -> Lark:
    starts = list(_STARTS)
    return Lark(text, parser="lalr", lexer="contextual", keep_all_tokens=True, maybe_placeholders=True, start=starts)


def _write(text: str, folder: Path) -> Mapping[str, Any]:
    with (folder / _TABLES).open("wb") as tables:
        _made(text).save(tables)
    return {}
