"""What a step is called with: checks of the tensors, and the live extents that follow from their shapes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetc.diagnostics import suggest
from hetc.runtime.buffers import Buffer, duplicate
from hetc.runtime.devices import HOST, Device
from hetc.runtime.errors import CapacityError, InputError
from hetc.runtime.regions import box
from hetc.runtime.specification import Pipeline, Tensor, length_array
from hetc.runtime.state import State
from hetc.runtime.tensors import bytes_of, to_stored

Given = Mapping[str, Buffer]
LengthArrays = dict[str, NDArray[np.int32]]


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
) -> dict[str, Buffer]:
    """Buffers of a caller's tensors: where they lie, if that is a device whose kernels can read them as they are, else
    in the host's memory. One that overlaps a memory in `bound`, which a step may write, is copied.

    Raises InputError."""
    found = {}
    for name, value in tensors.items():
        spec = pipeline.tensors[name]
        if spec.stored_bound is not None:
            raise InputError(f"tensor '{name}': only a memory can be sparse")
        device, array, shape = _placed(value, spec, name, devices)
        if len(shape) != len(spec.extents):
            raise InputError(
                f"tensor '{name}': expected {len(spec.extents)} dims {_described(spec)}, got {len(shape)} {list(shape)}"
            )
        buffer = Buffer(device, spec.extents, shape, spec.element, (array,), name=name)
        found[name] = duplicate(buffer) if any(_overlap(buffer, memory) for memory in bound) else buffer
    return found


def _overlap(first: Buffer, second: Buffer) -> bool:
    one, other = first.device.span(first.array), second.device.span(second.array)
    return one.start < other.stop and other.start < one.stop


def _placed(value: Any, spec: Tensor, name: str, devices: Mapping[str, Device]) -> tuple[Device, Any, tuple[int, ...]]:
    """Where a caller's tensor lies, the flat array that it is there, and its shape."""
    lying = value if spec.codes is None else bytes_of(value, spec.codes)
    for device in devices.values():
        if lying is not None and device.holds(lying, spec.element):
            return device, device.adopt(lying, spec.element, name), tuple(lying.shape)
    array = to_stored(value, spec.element, spec.codes, name)
    return devices[HOST], array.reshape(-1), array.shape


def live_lengths(
    state: State, step: str, tensors: Given, given: Mapping[str, object]
) -> tuple[LengthArrays, LengthArrays]:
    """(lengths before the step, lengths during it) of every run-time dim; appended rows count in the second.

    The length of a dim that the state keeps is the state's; any other's is what `given` says, else an input's extent,
    else the state's. Raises InputError where extents disagree, CapacityError where one is too large.
    """
    pipeline = state.pipeline
    found = extents_of(pipeline, tensors)
    for name in given:
        if name not in pipeline.dims:
            raise InputError(f"pipeline '{pipeline.name}' has no dim '{name}'")
        if name in pipeline.kept or pipeline.dims[name].derived is not None:
            why = "the state keeps it: state.set_lengths sets it" if name in pipeline.kept else "it follows from others"
            raise InputError(f"dim {name} cannot be given with a call; {why}")
    before: LengthArrays = {}
    for name in pipeline.ordered_dims:
        dim = pipeline.dims[name]
        if dim.per is not None and dim.per not in state.given and dim.per not in before:
            continue  # no tensor has its rows, so none has it
        rows = None if dim.per is None else _rows_of(state, dim.per, before)
        if name in pipeline.kept:
            before[name] = state.lengths[name]
        elif name in given:
            before[name] = length_array(given[name], rows, name)
        elif name in found:
            before[name] = np.full(1 if rows is None else rows, found[name][1], np.int32)
        elif name in state.lengths:
            before[name] = state.lengths[name]
        else:
            continue  # a dim that this step does not use
        limit = state.given.get(name, dim.bound)
        if before[name].size and int(before[name].max()) > limit:
            where = f" (tensor '{found[name][0]}')" if name in found else ""
            raise CapacityError(f"dim {name}{where}: {int(before[name].max())} exceeds {_limit(state, name)}")
    before = pipeline.with_derived(before)
    during = pipeline.with_derived(_grown(state, step, before))
    _check_shapes(state, tensors, during)
    return before, during


def _rows_of(state: State, per: str, before: LengthArrays) -> int:
    return state.given[per] if per in state.given else int(before[per][0])


def _limit(state: State, name: str) -> str:
    bound = state.pipeline.dims[name].bound
    capacity = state.given.get(name)
    return f"the state's capacity {capacity}" if capacity not in (None, bound) else f"its bound {bound}"


def extents_of(pipeline: Pipeline, tensors: Given) -> dict[str, tuple[str, int]]:
    """Run-time dim -> (the tensor that says so, its extent). Raises InputError where a constant extent, or
    two tensors' extents along one dim, disagree."""
    found: dict[str, tuple[str, int]] = {}
    for name, tensor in tensors.items():
        spec = pipeline.tensors[name]
        for position, (item, size) in enumerate(zip(spec.extents, tensor.shape, strict=True)):
            if not isinstance(item, str):
                if size != item:
                    raise InputError(
                        f"tensor '{name}': expected {_described(spec)}, got {list(tensor.shape)} "
                        f"({size} instead of {item} in dim {position})"
                    )
            elif item not in pipeline.kept and pipeline.dims[item].derived is None:
                other = found.setdefault(item, (name, size))
                if other[1] != size:
                    raise InputError(f"dim {item} is {other[1]} in tensor '{other[0]}' and {size} in tensor '{name}'")
    return found


def _grown(state: State, step: str, before: LengthArrays) -> LengthArrays:
    """Lengths with the step's rows counted; rows of the batch that the call does not use stay."""
    pipeline = state.pipeline
    during = dict(before)
    for name, growth in pipeline.steps[step].grows.items():
        if isinstance(growth, str) and growth not in before:
            raise InputError(
                f"step '{step}': dim {name} grows by {growth}, and no tensor says how long that is; "
                f"give lengths={{'{growth}': ...}}"
            )
        added = before[growth] if isinstance(growth, str) else np.array([growth], np.int32)
        per = pipeline.dims[name].per
        active = np.ones_like(before[name])
        if per is not None:
            active = (np.arange(len(active)) < int(before[per][0])).astype(np.int32)
        wanted = before[name].astype(np.int64) + added.astype(np.int64) * active
        if (wanted > state.capacities[name]).any():
            row = int(np.argmax(wanted))
            grown = [memory for memory, spec in pipeline.memories.items() if name in spec.dims]
            where = f" of row {row}" if per is not None else ""
            raise CapacityError(
                f"step '{step}': dim {name}{where} would be {int(wanted[row])} long, past {_limit(state, name)} "
                f"(memory {', '.join(grown)})"
            )
        during[name] = wanted.astype(np.int32)
    return during


def _check_shapes(state: State, tensors: Given, during: LengthArrays) -> None:
    """An input along a growing or derived dim is as long as the dim is during the step."""
    pipeline = state.pipeline
    for name, tensor in tensors.items():
        spec = pipeline.tensors[name]
        wanted = box(spec.extents, pipeline.pers, during)
        if tensor.shape != wanted and any(a < w for a, w in zip(tensor.shape, wanted, strict=True)):
            raise InputError(f"tensor '{name}': expected {_described(spec)} = {list(wanted)}, got {list(tensor.shape)}")


def _described(spec: Tensor) -> str:
    return "[" + ", ".join(str(item) for item in spec.extents) + "]"
