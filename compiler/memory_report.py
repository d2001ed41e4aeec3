"""What of each device's memory a program takes, as plain data, and the refusal where that is more than there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from xdsl.dialects.builtin import ModuleOp

from hetc.compiler.report import pipeline_of
from hetc.compiler.table import si
from hetc.diagnostics import Diagnostic
from hetc.dialects.locations import source_line, span_of
from hetc.dialects.mp import DimOp
from hetc.passes.analysis.device_memory import DeviceMemory, device_memory
from hetc.passes.analysis.resident import Held
from hetc.platforms import Platform
from hetc.source import SourceFile

MOST_SHOWN = 5
"""Of the largest buffers."""


def device_memory_rows(module: ModuleOp, platform: Platform) -> list[dict[str, Any]]:
    """One row a device, the host last, from a module after stage `host`: what it holds where every dim is at its bound,
    and what it has (None where the platform does not say)."""
    return [_row(device, platform) for device in device_memory(module).values()]


def _row(device: DeviceMemory, platform: Platform) -> dict[str, Any]:
    fullest = _fullest_channel(device)
    return {
        "device": device.kind,
        "name": _title(device.kind, platform),
        "capacity_bytes": _capacity(device.kind, platform),
        "bytes": device.bytes,
        "kept_bytes": device.kept_bytes,
        "workspace_bytes": device.workspace_bytes,
        "beside_bytes": device.beside,
        "channel": None
        if fullest is None
        else {"number": fullest, "bytes": device.channels[fullest], "capacity_bytes": _channel_bytes(device, platform)},
        "largest": _largest((*device.kept, *device.workspace)),
        "steps": [
            {
                "step": peak.step,
                "peak_bytes": peak.bytes,
                "line": source_line(peak.op),
                "largest": _largest(peak.live),
            }
            for peak in device.peaks
        ],
    }


def _largest(held: Iterable[Held]) -> list[dict[str, Any]]:
    chosen = sorted(held, key=lambda item: -item.bytes)[:MOST_SHOWN]
    return [
        {"name": item.name, "what": item.what, "type": item.type, "extents": list(item.extents), "bytes": item.bytes,
         "line": item.line}
        for item in chosen
    ]  # fmt: skip


def _title(kind: str, platform: Platform) -> str:
    device = platform.device_of_kind(kind)
    return device.title if device is not None else f"the host of {platform.name}"


def _capacity(kind: str, platform: Platform) -> float | None:
    device = platform.device_of_kind(kind)
    return device.capacity_bytes if device is not None else platform.host_memory_bytes


def _fullest_channel(device: DeviceMemory) -> int | None:
    return max(device.channels, key=lambda number: device.channels[number], default=None)


def _channel_bytes(device: DeviceMemory, platform: Platform) -> float | None:
    card = platform.device_of_kind(device.kind)
    return None if card is None else card.channel_bytes


def misfits(module: ModuleOp, platform: Platform, source: SourceFile) -> list[Diagnostic]:
    """A diagnostic for each device whose memory, or one of whose memory channels, would hold more than it can."""
    return [
        _misfit(device, module, platform, source)
        for device in device_memory(module).values()
        if not _fits(device, platform)
    ]


def _fits(device: DeviceMemory, platform: Platform) -> bool:
    return not _too_much(device, platform) and not _overfull(device, platform)


def _too_much(device: DeviceMemory, platform: Platform) -> bool:
    capacity = _capacity(device.kind, platform)
    return capacity is not None and device.bytes > capacity


def _overfull(device: DeviceMemory, platform: Platform) -> bool:
    """Whether a memory channel would hold more than it can."""
    room, number = _channel_bytes(device, platform), _fullest_channel(device)
    return room is not None and number is not None and device.channels[number] > room


def _misfit(device: DeviceMemory, module: ModuleOp, platform: Platform, source: SourceFile) -> Diagnostic:
    title, held = _title(device.kind, platform), (*device.kept, *device.workspace)
    peak = device.peak
    if _too_much(device, platform):
        needed, room = device.bytes, _capacity(device.kind, platform)
        message = (
            f"the program takes {si(needed, 'B')} of memory on the {device.kind}; {title} has {si(room or 0, 'B')}"
        )
    else:
        number = _fullest_channel(device)
        assert number is not None
        needed, room = device.channels[number], _channel_bytes(device, platform)
        held = tuple(item for item in held if item.channels.get(number))
        message = (
            f"the program puts {si(needed, 'B')} in memory channel {number} of the {device.kind}; "
            f"one of {title} holds {si(room or 0, 'B')}"
        )
    dims = {name: dim for name, dim in pipeline_of(module).dims.items() if not dim.is_static and dim.derived is None}
    extents = ", ".join(f"{name} = {dim.largest:,}" for name, dim in dims.items())
    parts = f"{si(device.kept_bytes, 'B')} stay from call to call, {si(device.workspace_bytes, 'B')} are the workspace"
    notes = [f"{parts} of calls{f', at the bounds {extents}' if extents else ''}"]
    notes += [_described(item) for item in sorted(held, key=lambda item: -item.bytes)[:MOST_SHOWN]]
    span = span_of(peak.op, source) if peak is not None else None
    return Diagnostic(
        "error", "HET304", message, span, label=f"most is in use here, in step {peak.step}" if peak is not None else "",
        notes=tuple(notes), help=_advice(device, module, platform, dims),
    )  # fmt: skip


def _described(held: Held) -> str:
    shape = f" = {' x '.join(f'{size:,}' for size in held.extents)}" if held.extents else ""
    type_ = f", {held.type}{shape}" if held.type else ""
    line = f" ({held.line})" if held.line else ""
    return f"{si(held.bytes, 'B')}: {held.what} {held.name}{type_}{line}"


def _advice(device: DeviceMemory, module: ModuleOp, platform: Platform, dims: Mapping[str, DimOp]) -> str:
    """What would make it fit: the largest bound of a dim at which it does, all else as it is."""
    found = {name: _largest_that_fits(device.kind, name, dim.largest, module, platform) for name, dim in dims.items()}
    bounds = [f"-D {name}={extent}" for name, extent in found.items() if extent]
    lower = (
        f"a lower bound fits: {' or '.join(bounds)}"
        if bounds
        else "no bound alone can be lowered enough: lower several"
    )
    if not dims:
        lower = "make constant dims smaller"
    others = [kind for kind in platform.kinds if kind != device.kind]
    elsewhere = f"; or place stages elsewhere (--pin STAGE={others[0]})" if others else ""
    return f"{lower}{elsewhere}; or choose a platform with more memory (-p)"


def _largest_that_fits(kind: str, name: str, bound: int, module: ModuleOp, platform: Platform) -> int:
    """The largest extent of a dim at which a device holds the program as it is compiled now; 0 where none does."""
    low, high = 0, bound
    while low + 1 < high:
        middle = (low + high) // 2
        fits = _fits(device_memory(module, {name: middle})[kind], platform)
        low, high = (middle, high) if fits else (low, middle)
    return low
