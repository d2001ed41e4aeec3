"""What a pipeline says about itself in a Python session or a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hetc.compiler.inspect import GeneratedKernel


class _Shown:
    """An object whose value in a session is its text."""

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


@dataclass(frozen=True, repr=False)
class Explanation(_Shown):
    """The placement: `report` as data, as text the table of `hetc explain`."""

    report: Mapping[str, Any]

    def __str__(self) -> str:
        from hetc.compiler.explain import render_report

        return render_report(self.report)


@dataclass(frozen=True, repr=False)
class Inspection(_Shown):
    """Generated kernels. As text: each kernel's schedule, and its code with the source lines above what they became."""

    kernels: tuple[GeneratedKernel, ...]
    source_lines: Mapping[str, list[str]]

    @property
    def texts(self) -> dict[str, str]:
        """The generated text by its path in the work directory; of a file of several kernels one function each."""
        return {path: text for kernel in self.kernels for path, text in kernel.texts.items()}

    @property
    def source(self) -> str:
        """All generated text."""
        return "\n\n".join(self.texts.values())

    def __str__(self) -> str:
        from hetc.compiler.inspect import annotate, schedule_lines

        parts = []
        for kernel in self.kernels:
            parts.append(f"{kernel.name}: {', '.join(kernel.stages)}\n{schedule_lines(kernel)}")
            for path, text in kernel.texts.items():
                parts.append(f"==> {path} <==\n{annotate(text, self.source_lines, kernel.first_lines[path])}")
        return "\n\n".join(parts)
