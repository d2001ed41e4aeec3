"""Schedules of kernels on a platform's devices, each worked out once: plans that share a kernel share its schedule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO

from xdsl.dialects.builtin import DictionaryAttr
from xdsl.ir import SSAValue
from xdsl.printer import Printer

from hetc.dialects.mp import GetOp, PipelineOp, enclosing_pipeline
from hetc.dialects.task import KernelOp
from hetc.passes.analysis.operands import source_of
from hetc.passes.schedule.model import Refused, Schedule
from hetc.passes.schedule.registry import Planned, scheduled_kinds, scheduler_of
from hetc.platforms import Platform
from hetc.platforms.device import Device

_Key = tuple[object, ...]
_VALUE = re.compile(r"%[\w$.-]+")
_STAGE = re.compile(r'stage = "\w+"')
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
        if kind not in scheduled_kinds():
            raise Refused(f"no backend compiles for device kind {kind}", kernel)
        text = _printed(kernel)
        key = _key(kernel, _numbered(text))
        if key not in self._planned:
            self._planned[key] = self._plan(kernel, device, _key(kernel, text))
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


def _printed(kernel: KernelOp) -> str:
    stream = StringIO()
    Printer(stream).print_region(kernel.body)
    return stream.getvalue()


def _numbered(text: str) -> str:
    """The text of an IR with its values numbered in place of their names, and without stages: the same for the same
    computation."""
    numbers: dict[str, str] = {}
    return _VALUE.sub(lambda found: numbers.setdefault(found[0], f"%{len(numbers)}"), _STAGE.sub("", text))


def _key(kernel: KernelOp, text: str) -> _Key:
    """All that a schedule depends on: what the kernel computes, what its operands are and how many layers of them lie
    on the device, and the bounds of the dims."""
    pipeline = enclosing_pipeline(kernel)
    dims = tuple(str(dim) for dim in pipeline.dims.values())
    sources = [source_of(value) for value in kernel.arguments]
    values = [source for source, _ in sources]
    operands = tuple(
        (layers, values.index(source), _described(pipeline, source) if isinstance(source.owner, GetOp) else "")
        for source, layers in sources
    )
    return kernel.device.data, text, operands, dims


def _described(pipeline: PipelineOp, source: SSAValue) -> str:
    """All but the name of what the pipeline declares."""
    assert isinstance(source.owner, GetOp)
    declaration = pipeline.declarations[source.owner.declared.data]
    about = {**declaration.properties, **declaration.attributes}
    return str(DictionaryAttr({name: attribute for name, attribute in about.items() if name != "sym_name"}))


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
