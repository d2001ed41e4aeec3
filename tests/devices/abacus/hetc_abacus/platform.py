"""What a platform file says of an abacus."""

from hetc.platforms.device import Device
from hetc.platforms.figure import PositiveFigure


class Abacus(Device):
    """Beads that are moved one after the other."""

    beads: PositiveFigure
    beads_per_s: PositiveFigure

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
