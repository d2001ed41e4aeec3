"""The report as text: which stage goes where and why, and what it would cost elsewhere.

The input is the report that the compiler writes (`report.json`); nothing is decided or estimated here.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hetc.compiler.explain_memory import render_device_memory
from hetc.compiler.report import stage_label
from hetc.compiler.table import Table, energy_text, si, time_text

Row = Mapping[str, Any]

# A placement that is predicted slower than the best single device by more than this is said aloud.
SLOWER_THAN_BEST = 1.2
_LINE_WIDTH = 110


def render_report(report: Row) -> str:
    """The whole explanation, for a terminal or a file; no trailing newline."""
    several = len({row["step"] for row in report["stages"]}) > 1
    sections = [
        _head(report),
        _stage_table(report["stages"], several),
        "\n".join(_reason_lines(report["stages"], several)),
        _total_lines(report, several),
        _kernel_table(report.get("kernels", [])),
        _transfer_table(report.get("transfers", []), several),
        _memory_table(report.get("memories", [])),
        "\n".join(row["reason"] for row in report.get("unreachable", [])),
        render_device_memory(report, several),
    ]
    return "\n\n".join(section for section in sections if section)


def slower_than_best(report: Row) -> str | None:
    """One line where one device alone is predicted clearly faster than the placement, else None."""
    placed_us, alone = totals(report)
    if placed_us is None or not alone:
        return None
    best = min(alone, key=lambda kind: alone[kind])
    if placed_us <= SLOWER_THAN_BEST * alone[best]:
        return None
    return (
        f"estimate: this placement takes {time_text(placed_us)} a call, everything on the {best} "
        f"{time_text(alone[best])} ({placed_us / alone[best]:,.3g}x); `hetc explain` has the figures"
    )


def totals(report: Row) -> tuple[float | None, dict[str, float]]:
    """Estimated time of one call (us; of one of each step) as placed, and with every stage on one device kind.

    Stages are taken one after the other. The first includes copies between devices, neither those to and from the
    host, which any placement has. A kind that refuses a stage has no total; the first is None where a chosen device
    gave no estimate.
    """
    stages = report["stages"]
    chosen = [_estimate_on(row, row["device"]) for row in stages]
    placed: float | None = None
    if all(estimate is not None for estimate in chosen):
        placed = sum(estimate["time_us"] for estimate in chosen if estimate is not None)
        placed += _moved_us(report, between_devices=True)
    alone = {}
    for kind in dict.fromkeys(item["device"] for row in stages for item in row["estimates"]):
        there = [_estimate_on(row, kind) for row in stages]
        if all(estimate is not None for estimate in there):
            alone[kind] = sum(estimate["time_us"] for estimate in there if estimate is not None)
    return placed, alone


def _moved_us(report: Row, *, between_devices: bool) -> float:
    """Estimated time (us) of a call's copies: between two devices, or else to and from the host."""
    rows = [row for row in report.get("transfers", []) if not row.get("once")]
    return sum(row["time_us"] for row in rows if ("host" not in (row["from"], row["to"])) == between_devices)


def _head(report: Row) -> str:
    extents = ", ".join(f"{name} = {extent:,}" for name, extent in report.get("estimate", {}).items())
    title = f"{report['pipeline']} on {report['platform']}, policy {report.get('policy', 'intensity')}"
    at = f" at {extents}" if extents else ""
    return (
        f"{title}\nAll times, energies and resources are estimates{at},\n"
        "computed from the platform's figures (`hetc platform show`); nothing here was measured."
    )


def _stage_table(stages: Sequence[Row], several: bool) -> str:
    kinds = list(dict.fromkeys(item["device"] for row in stages for item in row["estimates"]))
    headings = ["stage", "device", "work", "bytes", "FLOP/B", "ridge", "scan", "access", "irregular"]
    table = Table(*headings, *(f"on {kind} (est.)" for kind in kinds), right=frozenset({2, 3, 4, 5}))
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
            *(_cost(_estimate_on(row, kind)) for kind in kinds),
        )
    return str(table)


def _estimate_on(row: Row, kind: str) -> Row | None:
    """A stage's estimate on a device kind; None where that device refuses the stage."""
    return next((item for item in row["estimates"] if item["device"] == kind and "refused" not in item), None)


def _cost(estimate: Row | None) -> str:
    if estimate is None:
        return "refused"
    bound = f" ({estimate['bound']})" if estimate.get("bound") else ""
    return f"{time_text(estimate['time_us'])}, {energy_text(estimate['energy_mj'])}{bound}"


def _reason_lines(stages: Iterable[Row], several: bool) -> list[str]:
    lines = []
    for row in stages:
        stage = stage_label(row["step"], row["stage"], several)
        lines += textwrap.wrap(f"{stage} -> {row['device']}: {row['reason']}", _LINE_WIDTH, subsequent_indent="    ")
        own = _estimate_on(row, row["device"])
        for other in row["estimates"]:
            told = "refused" in other and other["refused"] in row["reason"]
            if other["device"] != row["device"] and not told:
                lines += textwrap.wrap(
                    f"not {other['device']}: {_against(own, other)}",
                    _LINE_WIDTH,
                    initial_indent="    ",
                    subsequent_indent="    ",
                )
    return lines


def _against(own: Row | None, other: Row) -> str:
    """The losing alternative beside the choice."""
    if "refused" in other:
        return f"it refuses the stage: {other['refused']}"
    text = f"estimated {time_text(other['time_us'])} and {energy_text(other['energy_mj'])}"
    if own is None or not own["time_us"] or not other["time_us"]:
        return text
    compared = _times(other["time_us"] / own["time_us"], "the time", "faster")
    if own["energy_mj"] and other["energy_mj"]:
        compared += f", {_times(other['energy_mj'] / own['energy_mj'], 'the energy', 'less energy')}"
    return f"{text} ({compared}; transfers not counted)"


def _times(ratio: float, more: str, less: str) -> str:
    """`2.4x the time`, or `320x faster`."""
    factor = ratio if ratio >= 1 else 1 / ratio
    shown = f"{factor:,.0f}" if factor >= 10 else f"{factor:.2g}"
    return f"{shown}x {more if ratio >= 1 else less}"


def _total_lines(report: Row, several: bool) -> str:
    placed_us, alone = totals(report)
    moved_us = _moved_us(report, between_devices=True)
    lines = []
    if placed_us is not None:
        share = f", {time_text(moved_us)} of it copies between devices" if moved_us else ""
        call = "One call of each step" if several else "One call"
        lines.append(f"{call} as placed: {time_text(placed_us)}{share} (estimate; stages one after the other).")
    for kind, time_us in alone.items():
        lines.append(f"Every stage on the {kind}: {time_text(time_us)} (estimate).")
    host_us = _moved_us(report, between_devices=False)
    if host_us:
        lines.append(f"Copies to and from the host, not counted above: {time_text(host_us)} (estimate).")
    return "\n".join(lines + _frozen_lines(report))


def _frozen_lines(report: Row) -> list[str]:
    """What the estimates take for granted of weights."""
    rows = [row for row in report.get("transfers", []) if row.get("once")]
    if not rows:
        return []
    names = ", ".join(dict.fromkeys(row["value"] for row in rows))
    text = (
        f"Taken as frozen (`program.freeze`), so copied once and not counted above: {names}; "
        f"{si(sum(row['bytes'] for row in rows), 'B')}, {time_text(sum(row['time_us'] for row in rows))} (estimate). "
        "Any call copies those that are not, unless they lie on the GPU that reads them."
    )
    return textwrap.wrap(text, _LINE_WIDTH, subsequent_indent="    ")


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
