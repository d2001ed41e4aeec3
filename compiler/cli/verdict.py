"""What `hetc run` found, as a table or as JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from hetc.compiler.table import Table

if TYPE_CHECKING:
    from hetc.compiler.verify import RunReport

# Sizes of a dim that are shown one by one.
MOST_SIZES = 4


def render_verdict(report: RunReport, source: str) -> str:
    """The verdict table: what ran where, how far from the oracle, and what is allowed; what it ran on."""
    from hetc.compiler.verify.report import NOT_CHECKED

    table = Table("stage", "device", "ran on", "max error", "tolerance", "near ties", "verdict", "note")
    for row in report.rows:
        table.add(
            row.stage,
            row.device,
            row.backend,
            _number(row.max_error),
            _number(row.tolerance),
            "-" if row.near_ties is None else str(row.near_ties),
            "-" if row.note == NOT_CHECKED else "ok" if row.ok else "WRONG",
            row.note,
        )
    wrong = [row.stage for row in report.rows if not row.ok]
    compared = any(row.note != NOT_CHECKED for row in report.rows)
    right = "all stages ok" if compared else "all stages ran; nothing was compared (--check does)"
    verdict = f"wrong: {', '.join(wrong)}" if wrong else right
    lines = [*_emulation(report), _sizes(report, source), verdict]
    return f"{table}\n\n" + "\n".join(lines)


def _emulation(report: RunReport) -> list[str]:
    """One line where devices were emulated."""
    emulated = [f"{kind} ({report.backends[kind]})" for kind in report.emulated]
    return [f"emulated, not run on a device: {', '.join(emulated)}"] if emulated else []


def _sizes(report: RunReport, source: str) -> str:
    """One line: what the steps were called with, and how often."""
    extents = [f"{name} = {_span(values)}" for name, values in report.extents.items()]
    count = f"{report.calls} call{'s' * (report.calls != 1)}"
    return f"{count} on {source}{': ' if extents else ''}{', '.join(extents)}"


def _span(values: list[int]) -> str:
    """All of few sizes, the ends of many."""
    if len(values) <= MOST_SIZES:
        return "/".join(map(str, values))
    return f"{min(values)} to {max(values)}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2e}"


def verdict_as_json(report: RunReport) -> str:
    """All that was measured, as JSON."""
    rows = [dataclasses.asdict(row) for row in report.rows]
    return json.dumps({"ok": report.ok, "calls": report.calls, "extents": report.extents, "rows": rows}, indent=2)
