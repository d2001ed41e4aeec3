"""FPGA cards: regions with their resources, memory channels, and what an operator costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from hetc.platforms.device import Device
from hetc.platforms.figure import Figure, Model, PositiveFigure

# Both stand in Makefiles, Tcl and configuration files of the vendor's tools as they are written here.
Part = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
VitisPlatform = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._/+-]*$")]

Resource = Literal["lut", "ff", "dsp", "bram36", "uram"]
RESOURCES: tuple[Resource, ...] = ("lut", "ff", "dsp", "bram36", "uram")

BRAM36_BYTES = 36 * 1024 // 8
URAM_BYTES = 288 * 1024 // 8


class Resources(Model):
    """An amount of fabric. LUT: 6-input look-up tables; BRAM36: 36 Kb blocks; URAM: 288 Kb blocks."""

    lut: Figure
    ff: Figure
    dsp: Figure
    bram36: Figure
    uram: Figure


class Region(Model):
    """A super logic region: what the die has and what the shell and the memory controllers keep of it."""

    name: str
    total: Resources
    reserved: Resources

    def usable(self, resource: Resource, ceiling: float = 1.0) -> float:
        """What a design may use at a utilisation `ceiling`, a fraction of what is not reserved."""
        left = getattr(self.total, resource) - getattr(self.reserved, resource)
        return max(left, 0.0) * ceiling


class Memory(Model):
    """High-bandwidth memory as independent channels; a kernel argument lives in one."""

    channels: PositiveFigure
    channel_bytes: PositiveFigure
    channel_bytes_per_s: PositiveFigure
    usable_fraction: PositiveFigure
    region: str


class Ports(Model):
    """AXI masters of a kernel."""

    widths_bits: tuple[int, ...] = Field(min_length=1)
    max_bundles: PositiveFigure


class Clock(Model):
    """`asked_hz` goes to the tools; above a LUT use of `crowded_lut_fraction` estimates take `crowded_hz`."""

    asked_hz: PositiveFigure
    crowded_hz: PositiveFigure
    crowded_lut_fraction: Figure


class Operator(Model):
    """Cost of one pipelined operator (initiation interval 1). `dsp` may be a fraction: two share one."""

    lut: Figure
    ff: Figure
    dsp: Figure
    latency_cycles: Figure

    @model_validator(mode="after")
    def _is_made_of_something(self) -> Operator:
        if self.lut <= 0 and self.dsp <= 0:
            raise ValueError("an operator takes LUTs or DSPs; both are 0")
        return self


class Fpga(Device):
    """An FPGA card. `operators` is keyed by dtype, then operation (`add mul fma madd exp ...`)."""

    part: Part
    platform: VitisPlatform = Field(description="a platform's name, or the path of its .xpfm file")
    flow: Literal["xrt", "aved"] = Field(description="xrt: Vitis kernels under XRT; aved: no XRT host")
    regions: tuple[Region, ...] = Field(min_length=1)
    utilisation_ceiling: PositiveFigure
    clock: Clock
    memory: Memory
    ports: Ports
    operators: dict[str, dict[str, Operator]]

    @model_validator(mode="after")
    def _memory_stands_in_a_region(self) -> Fpga:
        names = [region.name for region in self.regions]
        if self.memory.region not in names:
            raise ValueError(f"memory.region is {self.memory.region!r}; the regions are {', '.join(names)}")
        return self

    @model_validator(mode="after")
    def _names_its_platform(self) -> Fpga:
        if self.flow == "xrt" and not self.platform:
            raise ValueError("platform is empty; a card of flow xrt is linked for a platform")
        return self

    @property
    def details(self) -> Mapping[str, str]:
        return {"part": self.part, "platform": self.platform, "flow": self.flow}

    @property
    def derived(self) -> Mapping[str, Figure]:
        peaks = {
            f"peak_flop_per_s.{dtype}": Figure(
                self.peak_ops_per_s(dtype), "derived: multiply-adds that fill the device at the crowded clock"
            )
            for dtype in self.operators
            if self.supports(dtype)
        }
        return {
            "memory_bytes": Figure(self.capacity_bytes, "derived: channels x channel bytes"),
            "bandwidth_bytes_per_s": Figure(self.peak_bandwidth_bytes_per_s, "derived: channels x channel rate"),
            "on_chip_bytes": Figure(self.on_chip_bytes, "derived: block and ultra RAM of all regions"),
            **peaks,
        }

    @property
    def channel_bytes(self) -> float:
        return float(self.memory.channel_bytes)

    @property
    def no_host(self) -> str:
        return (
            "" if self.flow == "xrt" else f"host programs reach FPGAs through XRT, this card has the flow {self.flow}"
        )

    @property
    def capacity_bytes(self) -> float:
        return self.memory.channels * self.memory.channel_bytes

    @property
    def peak_bandwidth_bytes_per_s(self) -> float:
        return self.memory.channels * self.memory.channel_bytes_per_s

    @property
    def usable_bandwidth_bytes_per_s(self) -> float:
        return self.peak_bandwidth_bytes_per_s * self.memory.usable_fraction

    @property
    def on_chip_bytes(self) -> float:
        """Bytes of block and ultra RAM, none reserved."""
        return self.total("bram36") * BRAM36_BYTES + self.total("uram") * URAM_BYTES

    def total(self, resource: Resource) -> float:
        """The whole device's."""
        return sum(float(getattr(region.total, resource)) for region in self.regions)

    def usable(self, resource: Resource) -> float:
        """What designs may use in all regions together, reserve and ceiling taken off."""
        return sum(region.usable(resource, self.utilisation_ceiling) for region in self.regions)

    def clock_hz(self, lut_fraction: float) -> float:
        """The clock an estimate takes for a design using `lut_fraction` of the device's LUTs."""
        crowded = lut_fraction > self.clock.crowded_lut_fraction
        return self.clock.crowded_hz if crowded else self.clock.asked_hz

    def channel_usable_bytes_per_s(self, width_bits: int, clock_hz: float) -> float:
        """What one port of `width_bits` at `clock_hz` draws from one channel, bursts being long."""
        port = width_bits / 8 * clock_hz
        return min(port, self.memory.channel_bytes_per_s * self.memory.usable_fraction)

    def supports(self, dtype: str) -> bool:
        table = self.operators.get(dtype, {})
        return "madd" in table or "fma" in table

    def operator(self, dtype: str, operation: str) -> Operator:
        """KeyError names what the table holds; there is no default cost."""
        try:
            return self.operators[dtype][operation]
        except KeyError:
            known = ", ".join(f"{d}.{o}" for d, table in self.operators.items() for o in table)
            raise KeyError(f"{self.name} has no operator {dtype}.{operation}; it has {known}") from None

    def peak_ops_per_s(self, dtype: str) -> float:
        """Derived: multiply-adds that fill the device's DSPs (LUTs, if they take none) at the crowded clock.

        Nothing is taken off for reserve or routing, so that it compares with a GPU's data-sheet peak.
        """
        table = self.operators[dtype]
        cost = table["madd"] if "madd" in table else table["fma"]
        units = self.total("dsp") / cost.dsp if cost.dsp > 0 else self.total("lut") / cost.lut
        return units * 2 * self.clock.crowded_hz
