"""What a platform file says of an abacus."""

from collections.abc import Mapping

from hetc.platforms.device import Device
from hetc.platforms.figure import Figure, PositiveFigure


class Abacus(Device):
    """Beads that are moved one after the other."""

    beads: PositiveFigure
    rods: PositiveFigure
    beads_per_s: PositiveFigure

    @property
    def details(self) -> Mapping[str, str]:
        return {"wood": "beech"}

    @property
    def derived(self) -> Mapping[str, Figure]:
        return {"beads_a_rod": Figure(self.channel_bytes, "derived: beads over rods")}

    @property
    def channel_bytes(self) -> float:
        return float(self.beads) / float(self.rods)

    @property
    def capacity_bytes(self) -> float:
        return float(self.beads)

    @property
    def peak_bandwidth_bytes_per_s(self) -> float:
        return float(self.beads_per_s)

    @property
    def usable_bandwidth_bytes_per_s(self) -> float:
        return float(self.beads_per_s)

    def supports(self, dtype: str) -> bool:
        return True

    def peak_ops_per_s(self, dtype: str) -> float:
        return float(self.beads_per_s)
