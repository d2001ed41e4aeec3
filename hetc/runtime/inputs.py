"""What a step is called with: checks of the tensors, and where they lie."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from hetc.diagnostics import suggest
from hetc.runtime.buffers import Buffer, allocate
from hetc.runtime.call_lengths import described
from hetc.runtime.devices import HOST, Device
from hetc.runtime.errors import InputError
from hetc.runtime.specification import Pipeline, Tensor
from hetc.runtime.tensors import bytes_of, to_stored


class Given(NamedTuple):
    """A caller's tensor: the device that it lies on, its flat array there, and its shape."""

    device: Device
    array: Any
    shape: tuple[int, ...]

    def buffer(self, name: str, spec: Tensor) -> Buffer:
        return Buffer(self.device, spec.extents, self.shape, spec.element, (self.array,), name=name)


def check_names(pipeline: Pipeline, step: str, given: Collection[str], frozen: Collection[str]) -> None:
    """Every tensor that the step takes is given or frozen, and none that the pipeline does not declare is given. Raises
    InputError.

    An input or weight that only other steps take may be given."""
    takes = pipeline.steps[step].takes
    known = [name for name, item in pipeline.tensors.items() if item.role != "memory"]
    for name in given:
        if name not in known:
            near = suggest(name, known)
            hint = f"; did you mean '{near}'?" if near else f"; it takes {', '.join(takes) or 'none'}"
            raise InputError(f"step '{step}' takes no tensor '{name}'{hint}")
    missing = [name for name in takes if name not in given and name not in frozen]
    if missing:
        raise InputError(f"step '{step}': tensor {', '.join(repr(name) for name in missing)} is missing")


def as_given(
    pipeline: Pipeline, tensors: Mapping[str, Any], devices: Mapping[str, Device], bound: Sequence[Buffer] = ()
) -> dict[str, Given]:
    """A caller's tensors: where they lie, if that is a device whose kernels can read them as they are, else in the
    host's memory. One that overlaps a memory in `bound`, which a step may write, is copied.

    Raises InputError."""
    found = {}
    for name, value in tensors.items():
        spec = pipeline.tensors[name]
        if spec.stored_bound is not None:
            raise InputError(f"tensor '{name}': only a memory can be sparse")
        given = _placed(value, spec, name, devices)
        shape = given.shape
        if len(shape) != len(spec.extents):
            raise InputError(
                f"tensor '{name}': expected {len(spec.extents)} dims {described(spec)}, got {len(shape)} {list(shape)}"
            )
        shared = bound and any(_overlap(given, memory) for memory in bound)
        found[name] = _apart(given, spec, name) if shared else given
    return found


def _overlap(given: Given, memory: Buffer) -> bool:
    one, other = given.device.span(given.array), memory.device.span(memory.array)
    return one.start < other.stop and other.start < one.stop


def _apart(given: Given, spec: Tensor, name: str) -> Given:
    """The same values in other memory of the device."""
    made = allocate(given.device, spec.extents, given.shape, spec.element, name=name).array
    given.device.copy(given.array, slice(None), made, slice(None), 1)
    return given._replace(array=made)


def _placed(value: Any, spec: Tensor, name: str, devices: Mapping[str, Device]) -> Given:
    lying = value if spec.codes is None else bytes_of(value, spec.codes)
    if lying is not None:
        for device in devices.values():
            array = device.lying(lying, spec.element)
            if array is not None:
                return Given(device, array, tuple(lying.shape))
    array = to_stored(value, spec.element, spec.codes, name)
    return Given(devices[HOST], array.reshape(-1), array.shape)
