"""What `explain -v` adds: the work and access of each stage, kernels, copies and memories, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hetc.compiler.report import stage_label
from hetc.compiler.table import Table, energy_text, si, time_text

Row = Mapping[str, Any]


def details(report: Row) -> list[str]:
    """The tables of a report, each one string."""
    several = len({row["step"] for row in report["stages"]}) > 1
    return [
        _stage_table(report["stages"], several),
        _kernel_table(report.get("kernels", [])),
        _transfer_table(report.get("transfers", []), several),
        _memory_table(report.get("memories", [])),
    ]


def _stage_table(stages: Sequence[Row], several: bool) -> str:
    headings = ["stage", "device", "work", "bytes", "FLOP/B", "ridge", "scan", "access", "irregular"]
    table = Table(*headings, right=frozenset({2, 3, 4, 5}))
    for row in stages:
        table.add(
            stage_label(row["step"], row["stage"], several),
            row["device"],
            si(row["flop"], "FLOP"),
            si(sum(row["bytes"].values()), "B"),
            f"{row['intensity']:.3g}",
            f"{row['ridge']:.3g}",
            "yes" if row["scan"] else "no",
            ", ".join(row["access"]) or "-",
            ", ".join(row["irregular"]) or "-",
        )
    return str(table)


def _kernel_table(kernels: Iterable[Row]) -> str:
    table = Table("kernel", "device", "stages", "time (est.)", "energy (est.)", "moved", "bound", "resources (est.)")
    for row in kernels:
        schedule = row.get("schedule") or {}
        table.add(
            row["name"],
            row["device"],
            ", ".join(row["stages"]),
            time_text(schedule["time_us"]) if schedule else "-",
            energy_text(schedule["energy_mj"]) if schedule else "-",
            si(schedule["bytes_moved"], "B") if schedule else "-",
            schedule.get("bound", "-"),
            ", ".join(f"{name} {amount:,.4g}" for name, amount in schedule.get("resources", {}).items()) or "-",
        )
    return str(table) if len(table) else ""


def _transfer_table(transfers: Iterable[Row], several: bool) -> str:
    table = Table("transfer", "from", "to", "bytes", "time (est.)", "when", "line")
    for row in transfers:
        table.add(
            row["value"] or "(unnamed)",
            row["from"],
            row["to"],
            si(row["bytes"], "B"),
            time_text(row["time_us"]),
            "once" if row.get("once") else f"every {row['step']}" if several else "every call",
            row.get("line", ""),
        )
    return str(table) if len(table) else ""


def _memory_table(memories: Iterable[Row]) -> str:
    table = Table("memory", "home", "dtype", "bytes")
    for row in memories:
        table.add(row["name"], row["home"], row.get("dtype", ""), si(row["bytes"], "B"))
    return str(table) if len(table) else ""
