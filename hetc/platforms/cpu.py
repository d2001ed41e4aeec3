"""The processor that a program runs on, as a device."""

from __future__ import annotations

from pydantic import Field

from hetc.platforms.device import Device
from hetc.platforms.figure import Figure, PositiveFigure


class Cpu(Device):
    """Cores that share a memory. What a kernel takes is counted in its loops: operations at so many a clock on each
    core that has work, and what does not stay in the caches at the memory's rate."""

    memory_bytes: PositiveFigure
    bandwidth_bytes_per_s: PositiveFigure
    bandwidth_usable_fraction: PositiveFigure
    core_bandwidth_bytes_per_s: PositiveFigure = Field(description="what one core reads at most")
    cache_bytes: Figure = Field(description="what one core finds in its caches again")
    clock_hz: PositiveFigure
    cores: PositiveFigure
    operations_per_clock: PositiveFigure = Field(description="of compiled loops on one core, as a mean")
    peak_flop_per_s: dict[str, PositiveFigure] = Field(min_length=1)

    @property
    def capacity_bytes(self) -> float:
        return self.memory_bytes

    @property
    def peak_bandwidth_bytes_per_s(self) -> float:
        return self.bandwidth_bytes_per_s

    @property
    def usable_bandwidth_bytes_per_s(self) -> float:
        return self.bandwidth_bytes_per_s * self.bandwidth_usable_fraction

    def supports(self, dtype: str) -> bool:
        return dtype in self.peak_flop_per_s

    def peak_ops_per_s(self, dtype: str) -> float:
        return self.peak_flop_per_s[dtype]

    def memory_us(self, size_bytes: float, cores: float) -> float:
        """Microseconds that so many cores take to move bytes from or to the memory."""
        rate = min(self.usable_bandwidth_bytes_per_s, cores * self.core_bandwidth_bytes_per_s)
        return size_bytes / rate * 1e6

    def operations_us(self, operations: float, cores: float) -> float:
        """Microseconds that so many cores take for operations of compiled loops."""
        return operations / (cores * self.clock_hz * self.operations_per_clock) * 1e6
