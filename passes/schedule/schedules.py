"""Schedules of kernels on a platform's devices, each worked out once: plans that share a kernel share its schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xdsl.ir import Attribute, Block, Operation, SSAValue

from hetc.dialects.mp import DeclareOp, GetOp, enclosing_pipeline
from hetc.dialects.task import KernelOp
from hetc.passes.analysis.operands import source_of
from hetc.passes.schedule.model import Refused, Schedule
from hetc.passes.schedule.registry import Planned, is_scheduled, scheduler_of
from hetc.platforms import Platform
from hetc.platforms.device import Device

_Key = tuple[object, ...]
_MOST_KEPT = 4096
_MOST_RECENT = 64


@dataclass(frozen=True)
class Remembered:
    """A kernel whose plan is decided; what it takes at some extents is worked out once."""

    planned: Planned
    _known: dict[tuple[tuple[str, int], ...], Schedule] = field(default_factory=dict)

    def at(self, dims: Mapping[str, int]) -> Schedule:
        """What it takes at run-time dims of these extents."""
        extents = tuple(sorted(dims.items()))
        if extents not in self._known:
            self._known[extents] = self.planned.at(dims)
        return self._known[extents]


class Schedules:
    """Schedules that are chosen for run-time dims of these extents."""

    def __init__(self, platform: Platform, dims: Mapping[str, int]):
        self.platform, self.dims = platform, dims
        self._planned: dict[_Key, Remembered] = {}
        self._refused: dict[_Key, str] = {}

    def of(self, kernel: KernelOp) -> Schedule:
        """The schedule of a kernel on the device that it names. Raises Refused where the device cannot run it."""
        return self.planned(kernel).at(self.dims)

    def planned(self, kernel: KernelOp) -> Remembered:
        """The plan of a kernel on the device that it names. Raises Refused where the device cannot run it."""
        kind = kernel.device.data
        device = self.platform.device_of_kind(kind)
        if device is None:
            raise Refused(f"platform {self.platform.name} has no {kind}", kernel)
        if not is_scheduled(kind):
            raise Refused(f"no backend compiles for device kind {kind}", kernel)
        key = _key(kernel)
        if key not in self._planned:
            self._planned[key] = self._plan(kernel, device, (key, _names(kernel)))
        return self._planned[key]

    def _plan(self, kernel: KernelOp, device: Device, key: _Key) -> Remembered:
        """The plan of a kernel that was not planned before. key: with names, which a refusal tells."""
        if key in self._refused:
            raise Refused(self._refused[key], kernel)
        if len(self._planned) >= _MOST_KEPT:
            self._planned.clear()
            self._refused.clear()
        try:
            return Remembered(scheduler_of(kernel.device.data)(kernel, device, self.dims))
        except Refused as refused:
            self._refused[key] = refused.reason
            raise


def _key(kernel: KernelOp) -> _Key:
    """All that a schedule depends on: what the kernel computes, what its operands are and how many layers of them lie
    on the device, and the bounds of the dims."""
    pipeline = enclosing_pipeline(kernel)
    dims = tuple(_described(dim) for dim in pipeline.dims.values())
    sources = [source_of(value) for value in kernel.arguments]
    values = [source for source, _ in sources]
    declarations = pipeline.declarations
    operands = tuple((layers, values.index(source), _declared(declarations, source)) for source, layers in sources)
    return kernel.device.data, _computed(kernel.block, {}), operands, dims


def _computed(block: Block, numbers: dict[SSAValue, int]) -> _Key:
    """What a block computes, its values numbered and its stages left out: the same for the same computation."""
    for argument in block.args:
        numbers[argument] = len(numbers)
    found: list[object] = [tuple(argument.type for argument in block.args)]
    for op in block.ops:
        operands = tuple(numbers[operand] for operand in op.operands)
        inner = [_computed(inside, numbers) for region in op.regions for inside in region.blocks]
        for result in op.results:
            numbers[result] = len(numbers)
        found.append((op.name, operands, _described(op), tuple(result.type for result in op.results), *inner))
    return tuple(found)


def _described(op: Operation) -> tuple[tuple[str, Attribute], ...]:
    """What an op says besides its operands and results, the stage apart."""
    return (*op.properties.items(), *(item for item in op.attributes.items() if item[0] != "stage"))


def _declared(declarations: Mapping[str, DeclareOp], source: SSAValue) -> _Key:
    """Of what the pipeline declares all but the name, and where it lies: every kernel reads it on its own device."""
    if not isinstance(source.owner, GetOp):
        return ()
    about = _described(declarations[source.owner.declared.data])
    return tuple((name, attribute) for name, attribute in about if name not in ("sym_name", "home"))


def _names(kernel: KernelOp) -> tuple[str | None, ...]:
    """The names of its values, in order."""
    arguments = [argument for op in kernel.walk() for region in op.regions for argument in region.block.args]
    return tuple(value.name_hint for value in (*arguments, *(result for op in kernel.walk() for result in op.results)))


_recent: dict[tuple[str, tuple[tuple[str, int], ...]], Schedules] = {}


def schedules_of(platform: Platform, dims: Mapping[str, int]) -> Schedules:
    """The schedules on a platform at these extents: placement asks for those of many plans, and what is compiled then
    is one of them."""
    key = platform.model_dump_json(), tuple(sorted(dims.items()))
    if key not in _recent:
        while len(_recent) >= _MOST_RECENT:
            del _recent[next(iter(_recent))]
        _recent[key] = Schedules(platform, dims)
    return _recent[key]
