"""The words of the language, as names that Python code can import: `from hetc import bf16, le, memory`.

Words of annotations and defaults stand where Python evaluates them, so they can be subscripted and called; nothing
comes of it. The words of a body are never evaluated: they exist for editors and linters, and say so when used.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NoReturn

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


DTYPE_WORDS = ("f32", "f16", "bf16", "fp8", "fp8e5m2", "i8", "u8", "i4", "i16", "i32", "i64", "bool")
SIGNATURE_WORDS = ("weight", "memory", "sparse", "ring", "le")
LAYOUT_WORDS = ("contiguous", "paged", "striped", "record", "planes")
STAGE_WORDS = ("prepare", "relevancy", "retrieve", "apply")
BLOCK_WORDS = ("repeat", "when")
STEP_WORDS = ("step",)
DEVICE_WORDS = device_kinds()
REDUCTION_WORDS = ("sum", "prod", "max", "min", "mean", "any", "all", "count", "argmax", "argmin")
CALL_WORDS = ("append", "topk", "select", "softmax", "rope", "quantize", "concat", "sort", "clear", "age")
FUNCTION_WORDS = (
    "exp", "log", "sqrt", "rsqrt", "abs", "relu", "sigmoid", "silu", "gelu", "tanh", "sin", "cos", "atan2", "erf",
    "floor", "ceil", "round", "sign", "pow", "ceildiv", "where", "present", "coalesce",
)  # fmt: skip
PRELUDE_WORDS = tuple(re.findall(r"(?m)^def (\w+)", (Path(__file__).parents[1] / "frontend/prelude.mp").read_text()))
OPTION_WORDS = (
    "half", "interleaved", "pow2", "score", "index", "ascending", "descending", "linear", "yarn", "llama3",
)  # fmt: skip

WORDS: dict[str, Word] = {
    **{name: Word(name) for name in (*DTYPE_WORDS, *SIGNATURE_WORDS, *LAYOUT_WORDS)},
    **{
        name: BodyWord(name)
        for name in (
            *STAGE_WORDS, *BLOCK_WORDS, *STEP_WORDS, *DEVICE_WORDS, *REDUCTION_WORDS, *CALL_WORDS, *FUNCTION_WORDS,
            *PRELUDE_WORDS, *OPTION_WORDS,
        )
    },
}  # fmt: skip
