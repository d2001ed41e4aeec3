"""The figures of this machine's processor, measured: its memory's rate, its peak by dtype, what a call takes.
Seconds."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from hetc.runtime.cpu import aligned
from hetc.runtime.cpu_build import build

BYTES = 1 << 28
LEAST_S = 0.15
OPERATIONS_A_ROUND = 16 * 64
SCALAR_OPERATIONS = 6
_SOURCE = Path(__file__).with_name("cpu_measure.cpp")


@dataclass(frozen=True)
class Processor:
    """What was found. Rates a second, times in microseconds."""

    title: str
    memory_bytes: int
    cache_bytes: int
    cores: int
    clock_hz: float
    bandwidth_bytes_per_s: float
    core_bandwidth_bytes_per_s: float
    operations_per_clock: float
    launch_us: float
    copy_bytes_per_s: float
    peak_ops_per_s: dict[str, float]


def platform_text() -> str:
    """Measure now: the platform file of this machine's processor. Raises CompilerMissingError, DeviceError."""
    return as_toml(measure(), date.today().isoformat())


def measure() -> Processor:
    """Measure now, on all cores that the process may use. Raises CompilerMissingError, DeviceError."""
    library = build({"cpu_measure.cpp": _SOURCE.read_text()}, "measured")
    for name in ("peak_f32", "peak_i32", "peak_i64", "read_one", "read_all", "scalar_loop", "region"):
        getattr(library, name).restype = ctypes.c_double
    cores, clock_hz = len(os.sched_getaffinity(0)), _clock_hz()
    data = aligned(BYTES // 4, np.dtype(np.float32))
    data[:] = 1.0
    pointer, count = ctypes.c_void_p(data.ctypes.data), ctypes.c_int64(BYTES // 64)
    peaks = {}
    for dtype, bits in (("f32", 32), ("i32", 32), ("i64", 64)):
        function, rounds = getattr(library, f"peak_{dtype}"), 4_000_000
        took = _best_s(lambda function=function, rounds=rounds: function(ctypes.c_int64(rounds)))  # type: ignore[misc]
        peaks[dtype] = cores * rounds * OPERATIONS_A_ROUND / (bits / 8) / took
    few, again = 1 << 12, 2_000
    scalar_s = _best_s(lambda: library.scalar_loop(pointer, pointer, ctypes.c_int64(few), ctypes.c_int64(again)))
    source, target = data[: BYTES // 8], np.empty(BYTES // 8, np.float32)
    return Processor(
        title=_title(),
        memory_bytes=_memory_bytes(),
        cache_bytes=_cache_bytes(),
        cores=cores,
        clock_hz=clock_hz,
        bandwidth_bytes_per_s=BYTES / _best_s(lambda: library.read_all(pointer, count)),
        core_bandwidth_bytes_per_s=BYTES / _best_s(lambda: library.read_one(pointer, count)),
        operations_per_clock=few * again * SCALAR_OPERATIONS / scalar_s / clock_hz,
        launch_us=_best_s(lambda: library.region(ctypes.c_int64(0))) * 1e6,
        copy_bytes_per_s=BYTES / 2 / _best_s(lambda: np.copyto(target, source)),
        peak_ops_per_s=peaks,
    )


def _best_s(work: Callable[[], object]) -> float:
    """The shortest of several runs, in seconds."""
    work()  # pages, threads and caches are there afterwards
    best, end = float("inf"), time.perf_counter() + LEAST_S
    while True:
        start = time.perf_counter()
        work()
        now = time.perf_counter()
        best = min(best, now - start)
        if now >= end:
            return best


def _first(path: str, pattern: str) -> str:
    try:
        found = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    except OSError:
        return ""
    return found[1].strip() if found else ""


def _title() -> str:
    return _first("/proc/cpuinfo", r"^model name\s*:\s*(.+)$") or platform.processor() or platform.machine()


def _clock_hz() -> float:
    """What the kernel says, a guess where it says nothing: only a product with it is used."""
    return float(_first("/proc/cpuinfo", r"^cpu MHz\s*:\s*([\d.]+)$") or 2500) * 1e6


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _cache_bytes() -> int:
    """The largest cache that the first core has."""
    sizes = [path.read_text().strip() for path in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")]
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    return max((int(size[:-1]) * units[size[-1]] for size in sizes if size[-1:] in units), default=1 << 20)


def as_toml(found: Processor, when: str) -> str:
    """A platform file of the processor alone. when: the date, for the figures' source."""
    source = f"measured here, {when}"
    large_us = (1 << 20) / found.copy_bytes_per_s * 1e6
    points = [(4_096, 1.0, "estimate"), (1 << 20, large_us, source)]
    listed = [f'{{ bytes = {size}, us = {us:.3g}, source = "{origin}" }}' for size, us, origin in points]
    copied = f"transfers = [{', '.join(listed)}]"
    lines = [f'title = "this machine: {_plain(found.title)}, {found.cores} cores"', "", "[devices.cpu]", 'kind = "cpu"']
    lines += [f'title = "{_plain(found.title)}, {found.cores} cores"']
    figures = {
        "memory_bytes": found.memory_bytes,
        "bandwidth_bytes_per_s": found.bandwidth_bytes_per_s,
        "bandwidth_usable_fraction": 1.0,
        "core_bandwidth_bytes_per_s": found.core_bandwidth_bytes_per_s,
        "cache_bytes": found.cache_bytes,
        "clock_hz": found.clock_hz,
        "cores": found.cores,
        "operations_per_clock": found.operations_per_clock,
        "launch_us": found.launch_us,
    }
    lines += [f'{name} = {{ value = {value:.4g}, source = "{source}" }}' for name, value in figures.items()]
    unknown = "assumption: no power was measured"
    lines += [
        f'idle_watts = {{ value = 10, source = "{unknown}" }}',
        f'board_watts = {{ value = 100, source = "{unknown}" }}',
    ]
    lines += ["", "[devices.cpu.peak_flop_per_s]"]
    lines += [
        f'{name} = {{ value = {value:.4g}, source = "{source}" }}' for name, value in found.peak_ops_per_s.items()
    ]
    for way in ("to_device", "to_host"):
        lines += ["", f"[devices.cpu.host_link.{way}]", 'title = "a copy in the same memory"']
        lines += [f'bandwidth_bytes_per_s = {{ value = {found.copy_bytes_per_s:.4g}, source = "{source}" }}', copied]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    return text.replace("\\", " ").replace('"', "'")
