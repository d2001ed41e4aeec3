"""The processor that a program runs on, as a device."""

from __future__ import annotations

from pydantic import Field

from hetc.platforms.device import PeakTable
from hetc.platforms.figure import Figure, PositiveFigure


class Cpu(PeakTable):
    """Cores that share a memory. What a kernel takes is counted in its loops: operations at so many a clock on each
    core that has work, and what does not stay in the caches at the memory's rate."""

    core_bandwidth_bytes_per_s: PositiveFigure = Field(description="what one core reads at most")
    cache_bytes: Figure = Field(description="what one core finds in its caches again")
    cores: PositiveFigure
    operations_per_clock: PositiveFigure = Field(description="of compiled loops on one core, as a mean")

    def memory_us(self, size_bytes: float, cores: float) -> float:
        """Microseconds that so many cores take to move bytes from or to the memory."""
        rate = min(self.usable_bandwidth_bytes_per_s, cores * self.core_bandwidth_bytes_per_s)
        return size_bytes / rate * 1e6

    def operations_us(self, operations: float, cores: float) -> float:
        """Microseconds that so many cores take for operations of compiled loops."""
        return operations / (cores * self.clock_hz * self.operations_per_clock) * 1e6
