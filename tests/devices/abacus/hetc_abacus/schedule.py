"""Which kernels an abacus takes, and how long it is at them: an estimate from the number of results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from hetc.dialects import nest
from hetc.dialects.mp import TensorType
from hetc.dialects.task import KernelOp
from hetc.passes.nest.lower_to_nest import lower_kernel
from hetc.passes.refusal import LoweringRefused
from hetc.passes.schedule.model import Refused, Schedule
from hetc_abacus.platform import Abacus
from hetc_abacus.printer import knows


@dataclass(frozen=True)
class Plan:
    """An abacus and the types of what it makes."""

    device: Abacus
    results: tuple[TensorType, ...]

    def at(self, dims: Mapping[str, int]) -> Schedule:
        """The time that the results take at these extents."""
        moves = sum(prod(size if isinstance(size, int) else dims[size] for size in item.shape) for item in self.results)
        time_us = moves / float(self.device.beads_per_s) * 1e6
        return Schedule("abacus", {}, {"beads": 1.0}, time_us, 0.0, 4.0 * moves, float(moves), "compute")


def plan(kernel: KernelOp, device: Abacus, dims: Mapping[str, int]) -> Plan:
    """Raises Refused."""
    for argument in kernel.block.args:
        assert isinstance(argument.type, TensorType)
        if argument.type.is_sparse or argument.type.rows is not None:
            raise Refused("an abacus reads dense rows only", kernel)
    try:
        loops = lower_kernel(kernel)
    except LoweringRefused as refused:
        raise Refused(refused.reason, refused.op or kernel) from refused
    for op in loops.walk():
        if not knows(op) and not isinstance(op, nest.AccOp | nest.FoldOp | nest.FinishOp):
            raise Refused(f"an abacus has no form for {op.name}", kernel)
    types = [value.type for value in kernel.returned.values]
    return Plan(device, tuple(item for item in types if isinstance(item, TensorType)))
