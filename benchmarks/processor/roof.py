"""What this machine can do at most, as `hetc platform measure` finds it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from hetc.runtime.cpu_measure import Processor, measure


@dataclass(frozen=True)
class Roof:
    """Of so many threads. gflops: multiplications and additions in f32, as vectors, fused."""

    read_gbs: float
    gflops: float

    def floor_us(self, reads_bytes: float, flop: float) -> float:
        """The least time of work that reads so much once and computes so much."""
        return max(reads_bytes / self.read_gbs, flop / self.gflops) * 1e-3


def measured_roof(threads: int) -> Roof:
    """Of one thread or of all cores; of a number between them the share of the cores."""
    found = _processor()
    share = min(threads / found.cores, 1.0)
    read = found.core_bandwidth_bytes_per_s if threads == 1 else found.bandwidth_bytes_per_s
    return Roof(read / 1e9, found.peak_ops_per_s["f32"] * share / 1e9)


def machine_title() -> str:
    """What the processor is called."""
    return _processor().title


@cache
def _processor() -> Processor:
    return measure()
