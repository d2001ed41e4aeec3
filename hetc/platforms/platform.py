"""A platform: named devices, how each reaches the host, and direct links between them."""

from __future__ import annotations

from pydantic import Field, SerializeAsAny

from hetc.platforms.device import Device, Link
from hetc.platforms.figure import Model, PositiveFigure


class PeerLink(Model):
    """A direct connection from one device to another, past the host's memory."""

    from_device: str
    to_device: str
    link: Link


class Platform(Model):
    """Devices by the name that programs and options use for them (`gpu`, `fpga`, `fpga1`, ...). The memory of the host
    is held against what programs take of it, where it is stated."""

    name: str
    title: str
    devices: dict[str, SerializeAsAny[Device]] = Field(min_length=1)
    peer_links: tuple[PeerLink, ...] = ()
    host_memory_bytes: PositiveFigure | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """The device kinds present, each once, in file order."""
        return tuple(dict.fromkeys(device.kind for device in self.devices.values()))

    def devices_of_kind(self, kind: str) -> dict[str, Device]:
        return {name: device for name, device in self.devices.items() if device.kind == kind}

    def device_of_kind(self, kind: str) -> Device | None:
        """The first device of this kind, or None."""
        return next(iter(self.devices_of_kind(kind).values()), None)

    def peer_link(self, source: str, target: str) -> Link | None:
        """The direct link between two named devices, or None."""
        for peer in self.peer_links:
            if (peer.from_device, peer.to_device) == (source, target):
                return peer.link
        return None

    def transfer_us(self, size_bytes: float, source: str, target: str, *, peer: bool = False) -> float:
        """Time to move `size_bytes` between two devices, or a device and "host".

        Between devices the copy is staged through host memory, the two halves one after the other, unless
        `peer` asks for the direct link: KeyError where the platform has none. KeyError for an unknown name.
        """
        for name in (source, target):
            if name != "host" and name not in self.devices:
                raise KeyError(f"{self.name} has no device {name}; it has {', '.join(self.devices)}, host")
        if source == target or size_bytes <= 0:
            return 0.0
        if peer and "host" not in (source, target):
            link = self.peer_link(source, target)
            if link is None:
                raise KeyError(f"{self.name} has no direct link from {source} to {target}")
            return link.transfer_us(size_bytes)
        total_us = 0.0
        if source != "host":
            total_us += self.devices[source].host_link.to_host.transfer_us(size_bytes)
        if target != "host":
            total_us += self.devices[target].host_link.to_device.transfer_us(size_bytes)
        return total_us
