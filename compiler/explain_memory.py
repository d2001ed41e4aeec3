"""The part of the report that says how much of each device's memory a program takes, as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hetc.compiler.table import Table, si

Row = Mapping[str, Any]

_SHOWN = 3
"""Of the largest buffers in a line of the table."""


def render_device_memory(report: Row, several: bool, *, verbose: bool) -> str:
    """What each device holds, and (verbose) what is most of it, step by step; "" where the program was not lowered."""
    rows = report.get("device_memory", [])
    if not rows:
        return ""
    bounds = ", ".join(f"{name} = {report['dims'][name]:,}" for name in report.get("estimate", {}))
    head = f"Memory of the devices{f' at the bounds {bounds}' if bounds else ''}, for one state; counted in tensors."
    steps = [str(_step_table(rows, several))] if verbose else []
    return "\n\n".join([head, str(_device_table(rows)), *steps, *_lines(rows)]).rstrip()


def _device_table(rows: Iterable[Row]) -> Table:
    table = Table(
        "memory of", "taken", "of", "stays", "workspace", "in a call", "fullest channel", right=frozenset({1, 2})
    )
    for row in rows:
        table.add(
            row["device"],
            si(row["bytes"], "B"),
            si(row["capacity_bytes"], "B") if row["capacity_bytes"] is not None else "not stated",
            si(row["kept_bytes"], "B"),
            si(row["workspace_bytes"], "B"),
            si(row["beside_bytes"], "B"),
            _channel(row["channel"]),
        )
    return table


def _channel(channel: Row | None) -> str:
    if channel is None or channel["capacity_bytes"] is None:
        return "-"
    return f"{si(channel['bytes'], 'B')} of {si(channel['capacity_bytes'], 'B')} in {channel['number']}"


def _step_table(rows: Iterable[Row], several: bool) -> Table:
    """The most that is in use at once, where, and what."""
    table = Table(*(["step"] if several else []), "device", "peak", "at", "largest")
    for row in rows:
        for step in row["steps"]:
            largest = [
                f"{item['name']} {si(item['bytes'], 'B')} ({item['what']}{', ' if item['type'] else ''}{item['type']})"
                for item in step["largest"][:_SHOWN]
            ]
            cells = [row["device"], si(step["peak_bytes"], "B"), step["line"] or "-", "; ".join(largest) or "-"]
            table.add(*([step["step"]] if several else []), *cells)
    return table


def _lines(rows: Iterable[Row]) -> list[str]:
    """One line for each device that has less than that."""
    found = []
    for row in rows:
        channel = row["channel"]
        if row["capacity_bytes"] is not None and row["bytes"] > row["capacity_bytes"]:
            found.append(f"This does not fit {row['name']}: it cannot be compiled for these bounds.")
        elif channel is not None and channel["capacity_bytes"] and channel["bytes"] > channel["capacity_bytes"]:
            found.append(
                f"This does not fit a memory channel of {row['name']}: it cannot be compiled for these bounds."
            )
    return found
