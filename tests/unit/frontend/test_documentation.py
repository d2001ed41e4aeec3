"""The examples of the language reference compile without a word."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hetc.compiler.frontend import check_source
from hetc.compiler.frontend.resolve.functions import DTYPES
from hetc.compiler.vocabulary import FUNCTIONS
from hetc.source import SourceFile

PAGE = (Path(__file__).parents[3] / "docs" / "language.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```mp\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: text.split()[1])
def test_example_compiles(text: str) -> None:
    module, diagnostics = check_source(SourceFile("example.mp", text))
    assert module is not None and not list(diagnostics), [str(item) for item in diagnostics]


@pytest.mark.parametrize("name", (*FUNCTIONS, *DTYPES))
def test_every_function_and_dtype_is_named(name: str) -> None:
    assert re.search(rf"\b{name}\b", PAGE), name
