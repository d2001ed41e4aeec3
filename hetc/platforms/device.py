"""What every device has, and the devices whose peaks are figures rather than derived."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from pydantic import Field

from hetc.platforms.figure import Figure, Model, PositiveFigure

# A dtype that a device does not compute in is computed in the next one here that it has. Each step holds
# every value of the one before, so widening is exact.
_WIDER = {
    "bool": "i8",
    "u8": "i16",
    "i2": "i8",
    "u2": "i8",
    "i4": "i8",
    "u4": "i8",
    "fp4": "fp8",
    "e8m0": "bf16",
    "i8": "i16",
    "i16": "i32",
    "i32": "i64",
    "fp8": "bf16",
    "fp8e5m2": "bf16",
    "bf16": "f32",
    "f16": "f32",
}


class Transfer(Model):
    """A measured or estimated copy: `bytes` took `us` microseconds in all."""

    bytes: Figure
    us: Figure


class Link(Model):
    """One direction of a connection: its rate for large copies, and the time that small ones take."""

    title: str
    bandwidth_bytes_per_s: PositiveFigure
    transfers: tuple[Transfer, ...] = Field(min_length=1)

    def transfer_us(self, size_bytes: float) -> float:
        """Time of one copy. Linear between the listed sizes; past the last, that one's time and the rest at
        the link's bandwidth; below the first, the first's time."""
        if size_bytes <= 0:
            return 0.0
        points = sorted((float(item.bytes), float(item.us)) for item in self.transfers)
        low_bytes, low_us = points[0]
        if size_bytes <= low_bytes:
            return low_us
        for high_bytes, high_us in points[1:]:
            if size_bytes <= high_bytes:
                share = (size_bytes - low_bytes) / (high_bytes - low_bytes)
                return low_us + share * (high_us - low_us)
            low_bytes, low_us = high_bytes, high_us
        return low_us + (size_bytes - low_bytes) / self.bandwidth_bytes_per_s * 1e6


class HostLink(Model):
    """A device's connection to the host, which also stages what moves between two devices."""

    to_device: Link
    to_host: Link


class Device(Model, ABC):
    """One device of a platform. Subclasses say what memory and arithmetic it has."""

    name: str
    kind: str = Field(min_length=1, description="an open set: of an installed kind the model is its own")
    title: str
    launch_us: Figure
    idle_watts: Figure
    board_watts: Figure
    host_link: HostLink

    @property
    def details(self) -> Mapping[str, str]:
        """What is known of the device that is no figure, by name: a part number, what compilers call it."""
        return {}

    @property
    def derived(self) -> Mapping[str, Figure]:
        """Figures that follow from those of the file, each with what it follows from as its source."""
        return {}

    @property
    def channel_bytes(self) -> float | None:
        """Bytes of one memory channel, where what a program puts in each has to fit; None where memory is one."""
        return None

    @property
    def no_host(self) -> str:
        """Why no host program can be made that runs kernels on the device; empty where one can."""
        return ""

    @property
    @abstractmethod
    def capacity_bytes(self) -> float:
        """Bytes of the device's own memory."""

    @property
    @abstractmethod
    def peak_bandwidth_bytes_per_s(self) -> float:
        """Data-sheet bandwidth of that memory."""

    def copy_us(self, size_bytes: float) -> float:
        """Time to copy so many bytes from one place of the device's memory to another: through the host's memory, where
        nothing on the device copies."""
        return self.host_link.to_host.transfer_us(size_bytes) + self.host_link.to_device.transfer_us(size_bytes)

    @property
    @abstractmethod
    def usable_bandwidth_bytes_per_s(self) -> float:
        """Bandwidth that a well-formed scan is expected to reach: for time estimates, not ridge points."""

    @abstractmethod
    def peak_ops_per_s(self, dtype: str) -> float:
        """Dense operations a second in `dtype` (a multiply-add counts two); KeyError if it has none."""

    @abstractmethod
    def supports(self, dtype: str) -> bool:
        """Whether the device has arithmetic in `dtype` itself."""

    def compute_dtype(self, storage: str) -> str:
        """The dtype in which values stored as `storage` are computed: itself, or the nearest wider one.

        fp8 on a GPU without fp8 arithmetic gives bf16. KeyError where the device has none.
        """
        dtype = storage
        while not self.supports(dtype):
            if dtype not in _WIDER:
                raise KeyError(f"{self.title} computes in no dtype that holds {storage}")
            dtype = _WIDER[dtype]
        return dtype

    def ridge_flop_per_byte(self, dtype: str) -> float:
        """Intensity at which arithmetic in `dtype` (or what it is computed in) takes as long as memory."""
        return self.peak_ops_per_s(self.compute_dtype(dtype)) / self.peak_bandwidth_bytes_per_s


class PeakTable(Device):
    """A device with one memory and a table of peaks."""

    memory_bytes: PositiveFigure
    bandwidth_bytes_per_s: PositiveFigure
    bandwidth_usable_fraction: PositiveFigure
    clock_hz: PositiveFigure
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


class Processor(PeakTable):
    """Units that share a memory: the model of every kind that has none of its own."""

    compute_units: PositiveFigure
    vector_flop_per_s: PositiveFigure
