"""GPUs, programmed in Triton."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from hetc.platforms.device import Processor
from hetc.platforms.figure import Figure, PositiveFigure


class Gpu(Processor):
    """A GPU. Per-unit figures are those of one streaming multiprocessor or compute unit."""

    triton_backend: str
    triton_arch: str
    shared_memory_block_bytes: Figure
    unit_bytes_per_clock: PositiveFigure = Field(description="what one unit moves at most to and from the L2")

    @property
    def details(self) -> Mapping[str, str]:
        return {"triton_target": self.triton_target}

    def copy_us(self, size_bytes: float) -> float:
        """As one launch that reads and writes them."""
        return float(self.launch_us) + 2 * size_bytes / self.usable_bandwidth_bytes_per_s * 1e6

    def memory_us(self, size: float, loaded: float, programs: float) -> float:
        """Microseconds of traffic of so many programs: of `size` bytes of memory, or of what a unit's port lets through
        of the `loaded` bytes that they load in all."""
        units = min(max(programs, 1.0), float(self.compute_units))
        port = float(units * self.unit_bytes_per_clock * self.clock_hz)
        return max(size / self.usable_bandwidth_bytes_per_s, loaded / port) * 1e6

    @property
    def triton_target(self) -> str:
        """As users write it: gfx90a, sm_80, sm_90."""
        return self.triton_arch if self.triton_backend == "hip" else f"sm_{self.triton_arch}"
