"""hetc compiles LLM memory-processing pipelines to FPGA (HLS C++), GPU (Triton) and host programs.

    from hetc import bf16, hetero_pipeline, le, memory, weight

`hetero_pipeline` makes a pipeline of a Python function; the other names are the words of the language. Importing this
package imports nothing else: names are found when they are used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hetc.compiler.decorator import HeteroPipeline, hetero_pipeline
    from hetc.diagnostics import DiagnosticError
    from hetc.runtime.program import load_program

_MODULES = {
    "HeteroPipeline": "hetc.compiler.decorator",
    "hetero_pipeline": "hetc.compiler.decorator",
    "DiagnosticError": "hetc.diagnostics",
    "load_program": "hetc.runtime.program",
}

__all__ = ["DiagnosticError", "HeteroPipeline", "hetero_pipeline", "load_program"]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("hetc")
    if not name.startswith("_"):
        words = import_module("hetc.compiler.embedding.words").WORDS
        if name in words:
            return words[name]
    raise AttributeError(f"module 'hetc' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *import_module("hetc.compiler.embedding.words").WORDS})
