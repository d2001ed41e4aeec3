"""A platform as rows to print: each figure with its unit and source."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hetc.platforms.device import Device
from hetc.platforms.figure import Figure
from hetc.platforms.platform import Platform

_Prefixes = tuple[tuple[float, str], ...]
_DECIMAL: _Prefixes = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_BINARY: _Prefixes = ((2.0**40, "Ti"), (2.0**30, "Gi"), (2.0**20, "Mi"), (2.0**10, "Ki"))

# Ending of a figure's name -> unit, and the prefixes that go before it. Capacities are powers of two.
_UNITS: tuple[tuple[str, str, _Prefixes], ...] = (
    ("bytes_per_s", "B/s", _DECIMAL),
    ("flop_per_s", "FLOP/s", _DECIMAL),
    ("bytes", "B", _BINARY),
    ("hz", "Hz", _DECIMAL),
    ("watts", "W", ()),
    ("us", "us", ()),
    ("cycles", "cycles", ()),
    ("fraction", "", ()),
)

_RIDGE_DTYPES = ("bf16", "fp8", "i8", "f32")


@dataclass(frozen=True)
class Row:
    """One line of `platform show`. `number` is the value in base units; None for text such as a part name."""

    device: str
    figure: str
    value: str
    source: str
    number: float | None = None


def show_rows(platform: Platform) -> tuple[Row, ...]:
    """Every figure of a platform in file order, device by device, then its derived ridge points and links."""
    rows: list[Row] = []
    for name, device in platform.devices.items():
        rows += _device_rows(name, device)
    for peer in platform.peer_links:
        title = f"{peer.from_device} to {peer.to_device}"
        rows += [_figure_row(title, path, figure) for path, figure in peer.link.figures()]
    return tuple(rows)


def format_figure(name: str, value: float) -> str:
    """`value` with the unit that the name ends in: `bandwidth_bytes_per_s`, 1.638e12 gives `1.638 TB/s`."""
    # Peaks are keyed by dtype below a table whose name carries the unit, so inner words come first.
    for word in reversed(re.split(r"[.\[]", name)):
        for ending, unit, prefixes in _UNITS:
            if word == ending or word.endswith(f"_{ending}"):
                scale, prefix = next((item for item in prefixes if value >= item[0]), (1.0, ""))
                return f"{value / scale:,.5g} {prefix}{unit}".rstrip()
    return f"{value:,.10g}"


def _device_rows(name: str, device: Device) -> list[Row]:
    rows = [Row(name, "device", device.title, ""), Row(name, "kind", device.kind, "")]
    rows += [Row(name, key, text, "") for key, text in device.details.items() if text]
    rows += [_figure_row(name, path, figure) for path, figure in device.figures()]
    rows += [_figure_row(name, path, figure) for path, figure in device.derived.items()]
    for dtype in _RIDGE_DTYPES:
        if device.supports(dtype):
            ridge = device.ridge_flop_per_byte(dtype)
            source = "derived: peak over memory bandwidth"
            rows.append(Row(name, f"ridge.{dtype}", f"{ridge:.3g} FLOP/B", source, ridge))
    return rows


def _figure_row(device: str, path: str, figure: Figure) -> Row:
    return Row(device, path, format_figure(path, figure), figure.source, float(figure))
