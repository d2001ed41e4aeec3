"""The part of a schedule that this lowering applies, with values that hold where a kernel carries none."""

from __future__ import annotations

from dataclasses import dataclass, fields

from xdsl.dialects.builtin import DictionaryAttr

from hetc.dialects.task import KernelOp
from hetc.passes.schedule.model import PlanValue, Schedule


@dataclass(frozen=True)
class FpgaPlan:
    """Decisions for one kernel.

    on_chip_bits: an intermediate up to this size stays on chip, a larger one goes to a scratch buffer.
    bram_bits: an array above this size is in URAM.
    register_queue: the largest capacity of a selection that is a shift register; above it is a heap.
    table_elements: a constant up to this size is a table on chip, a larger one an argument.
    streaming: 1 where scans become dataflows of processes, 0 for loop nests only.
    stripes: memory channels that a scanned operand is spread over; 1 leaves it whole.
    striped: the task operands that are striped, by position.
    fifo_depth: rows that a FIFO holds between two processes.
    port_bits: the widest word of a port.
    lanes: elements of a row combined in one cycle, where the row has as many.
    tile: elements of one on-chip tile of accumulators in a sparse scan.
    burst_words: words of one burst.
    outstanding: bursts in flight on a port that is scanned.
    accumulators: partial sums that a running float sum is split over (a power of two).
    part, platform, clock_ns: what the project is built for.
    """

    on_chip_bits: int = 1 << 20
    bram_bits: int = 1 << 18
    register_queue: int = 64
    table_elements: int = 4096
    streaming: int = 1
    stripes: int = 1
    striped: tuple[int, ...] = ()
    fifo_depth: int = 16
    port_bits: int = 512
    lanes: int = 128
    tile: int = 1 << 16
    burst_words: int = 64
    outstanding: int = 16
    accumulators: int = 8
    part: str = "xcu55c-fsvh2892-2L-e"
    platform: str = "xilinx_u55c_gen3x16_xdma_3_202210_1"
    clock_ns: str = "3.333"

    @property
    def target(self) -> dict[str, str]:
        """What the emitted project is built for."""
        return {"part": self.part, "platform": self.platform, "clock_ns": self.clock_ns}

    @classmethod
    def of(cls, kernel: KernelOp) -> FpgaPlan:
        """What the kernel's schedule says; the defaults for what it leaves out. KeyError for a name not known."""
        attribute = kernel.schedule
        if attribute is None:
            return cls()
        if "kind" not in attribute.data:
            plan = attribute.data.get("plan", attribute)
            assert isinstance(plan, DictionaryAttr)
            values: dict[str, PlanValue] = dict(plan_values(plan))
        else:
            values = dict(Schedule.from_attr(attribute).plan)
        known = {item.name for item in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise KeyError(f"an FPGA plan has no {', '.join(unknown)}; it has {', '.join(sorted(known))}")
        return cls(**values)  # type: ignore[arg-type]


def plan_values(plan: DictionaryAttr) -> dict[str, PlanValue]:
    """A bare dictionary of plan values, as tests write it."""
    from hetc.passes.schedule.model import _value

    return {name: _value(item) for name, item in plan.data.items()}  # type: ignore[misc]
