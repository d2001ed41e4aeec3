"""What a scheduler decides for one kernel: the plan that the lowering applies and the estimate that placement compares.

Every time and energy here is an estimate from the platform file's figures, never a measurement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, FloatAttr, IntegerAttr, StringAttr
from xdsl.ir import Attribute, Operation
from xdsl.utils.exceptions import PassFailedException

from hetc.dialects.mp import TensorType

PlanValue = int | str | float | tuple[int, ...]


class Refused(PassFailedException):
    """A kernel that a device cannot run. `reason` completes the sentence "refused: ..."; `op` is where."""

    def __init__(self, reason: str, op: Operation):
        super().__init__(reason)
        self.reason = reason
        self.op = op


def unreadable(type: TensorType) -> str:
    """Why no kernel reads an operand of this type, "" where kernels do."""
    if type.rows is not None and any(isinstance(size, int) for size in type.shape[: type.row_axis]):
        return "a memory that lies in pages or records is read layer by layer, in a loop over its first extent"
    return ""


@dataclass(frozen=True)
class Schedule:
    """One kernel on one device.

    plan: what the lowering applies (tile sizes, lanes, channels, FIFO depths, ...), by the device kind's own names.
    resources: device resources used, by the platform file's names (dsp, bram36, uram, lut, shared_bytes, ...).
    time_us, energy_mj: estimates for one call at the dims given; launch_us is contained in time_us.
    bytes_moved: from and to the device's main memory. flop: floating-point and integer operations of the algorithm.
    bound: what limits it: memory, compute, latency or launch.
    """

    kind: str
    plan: Mapping[str, PlanValue]
    resources: Mapping[str, float]
    time_us: float
    energy_mj: float
    bytes_moved: float
    flop: float
    bound: str
    launch_us: float = 0.0
    notes: tuple[str, ...] = field(default=())

    def to_attr(self) -> DictionaryAttr:
        """The schedule as an attribute for `task.kernel`."""
        return DictionaryAttr(
            {
                "kind": StringAttr(self.kind),
                "plan": _dictionary(self.plan),
                "resources": _dictionary(self.resources),
                "time_us": FloatAttr(self.time_us, 64),
                "energy_mj": FloatAttr(self.energy_mj, 64),
                "bytes_moved": FloatAttr(self.bytes_moved, 64),
                "flop": FloatAttr(self.flop, 64),
                "bound": StringAttr(self.bound),
                "launch_us": FloatAttr(self.launch_us, 64),
                "notes": ArrayAttr([StringAttr(note) for note in self.notes]),
            }
        )

    @classmethod
    def from_attr(cls, attribute: DictionaryAttr) -> Schedule:
        """The inverse of `to_attr`."""
        values = {name: _value(item) for name, item in attribute.data.items()}
        return cls(**values)  # type: ignore[arg-type]


def _dictionary(values: Mapping[str, PlanValue]) -> DictionaryAttr:
    return DictionaryAttr({name: _attribute(value) for name, value in values.items()})


def _attribute(value: PlanValue) -> Attribute:
    if isinstance(value, str):
        return StringAttr(value)
    if isinstance(value, float):
        return FloatAttr(value, 64)
    if isinstance(value, tuple):
        return ArrayAttr([IntegerAttr(item, 64) for item in value])
    return IntegerAttr(value, 64)


def _value(attribute: Attribute) -> object:
    match attribute:
        case StringAttr():
            return attribute.data
        case FloatAttr() | IntegerAttr():
            return attribute.value.data
        case ArrayAttr():
            return tuple(_value(item) for item in attribute)
        case DictionaryAttr():
            return {name: _value(item) for name, item in attribute.data.items()}
    raise TypeError(f"not part of a schedule: {attribute}")
