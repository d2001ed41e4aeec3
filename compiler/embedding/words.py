"""The words of the language, as names that Python code can import: `from hetc import bf16, le, memory`.

Words of annotations and defaults stand where Python evaluates them, so they can be subscripted and called; nothing
comes of it. The words of a body are never evaluated: they exist for editors and linters, and say so when used.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NoReturn

from hetc.compiler.vocabulary import BLOCKS, FUNCTIONS, LAYOUTS, OPTION_WORDS, RULES, STAGES
from hetc.devices import device_kinds


class Word:
    """A word of annotations and defaults: `bf16["B", "E"]`, `memory(...)`, `le(64)`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self

    def __getitem__(self, extents: Any) -> Any:
        return self

    def __repr__(self) -> str:
        return f"hetc.{self.name}"


class BodyWord(Word):
    """A word that stands in the body of a pipeline only."""

    def __call__(self, *arguments: Any, **keywords: Any) -> NoReturn:
        self._refuse()

    def __getitem__(self, indices: Any) -> NoReturn:
        self._refuse()

    def __enter__(self) -> NoReturn:
        self._refuse()

    def __exit__(self, *raised: Any) -> None:
        return None

    def _refuse(self) -> NoReturn:
        raise TypeError(
            f"`{self.name}` is a word of the pipeline language: it stands in the body of a function under "
            "@hetero_pipeline, which is read and not executed"
        )


DTYPE_WORDS = (
    "f32", "f16", "bf16", "fp8", "fp8e5m2", "fp4", "e8m0", "i8", "u8", "i4", "u4", "i2", "u2", "i16", "i32", "i64",
    "bool",
)  # fmt: skip
SIGNATURE_WORDS = ("weight", "memory", "sparse", "ring", "le")
BLOCK_WORDS = tuple(word for word in BLOCKS if word != "for")
"""Blocks that Python has no word for."""
PRELUDE_WORDS = tuple(
    re.findall(r"(?m)^def (\w+)", (Path(__file__).parents[1] / "frontend/expand/prelude.mp").read_text())
)

WORDS: dict[str, Word] = {
    **{
        name: BodyWord(name)
        for name in (
            *STAGES, *BLOCK_WORDS, "step", *device_kinds(), *FUNCTIONS, *PRELUDE_WORDS, *OPTION_WORDS, *RULES,
        )
    },
    **{name: Word(name) for name in (*DTYPE_WORDS, *SIGNATURE_WORDS, *LAYOUTS)},
}  # fmt: skip
