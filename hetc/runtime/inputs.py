"""What a step is called with: checks of the tensors, and the live extents that follow from their shapes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetc.runtime.elements import to_host
from hetc.runtime.errors import CapacityError, InputError
from hetc.runtime.regions import box
from hetc.runtime.specification import Pipeline, Tensor, length_array
from hetc.runtime.state import State

Arrays = dict[str, NDArray]
LengthArrays = dict[str, NDArray[np.int32]]


def check_names(pipeline: Pipeline, step: str, given: Mapping[str, Any]) -> None:
    """Every tensor that the step takes is given, and none that the pipeline does not declare. Raises InputError.

    An input or weight that only other steps take may be given."""
    takes = pipeline.steps[step].takes
    known = [name for name, item in pipeline.tensors.items() if item.role != "memory"]
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean '{near[0]}'?" if near else f"; it takes {', '.join(takes) or 'none'}"
            raise InputError(f"step '{step}' takes no tensor '{name}'{hint}")
    missing = [name for name in takes if name not in given]
    if missing:
        raise InputError(f"step '{step}': tensor {', '.join(repr(name) for name in missing)} is missing")


def convert(pipeline: Pipeline, given: Mapping[str, Any], known: Mapping[str, NDArray]) -> Arrays:
    """Host arrays of the given tensors; those in `known` (weights seen before) are taken from there."""
    arrays: Arrays = {}
    for name, value in given.items():
        spec = pipeline.tensors[name]
        if spec.stored_bound is not None:
            raise InputError(f"tensor '{name}': only a memory can be sparse")
        arrays[name] = known[name] if name in known else to_host(value, spec.element, name)
        if arrays[name].ndim != len(spec.extents):
            raise InputError(
                f"tensor '{name}': expected {len(spec.extents)} dims {_described(spec)}, "
                f"got {arrays[name].ndim} {list(arrays[name].shape)}"
            )
    return arrays


def live_lengths(
    state: State, step: str, arrays: Arrays, given: Mapping[str, object]
) -> tuple[LengthArrays, LengthArrays]:
    """(lengths before the step, lengths during it) of every run-time dim; appended rows count in the second.

    A growing dim's length is the state's; any other's is what `given` says, else an input's extent, else the
    state's. Raises InputError where extents disagree, CapacityError where one is too large.
    """
    pipeline = state.pipeline
    found = _from_shapes(pipeline, arrays)
    unknown = [name for name in given if name not in pipeline.dims]
    if unknown:
        raise InputError(f"pipeline '{pipeline.name}' has no dim '{unknown[0]}'")
    before: LengthArrays = {}
    ordered = sorted(pipeline.dims, key=lambda name: pipeline.dims[name].per is not None)
    for name in ordered:
        dim = pipeline.dims[name]
        if dim.derived is not None:
            continue
        if dim.per is not None and dim.per not in state.given and dim.per not in before:
            continue  # no tensor has its rows, so none has it
        rows = None if dim.per is None else _rows_of(state, dim.per, before)
        if name in pipeline.growing:
            before[name] = state.lengths[name]
        elif name in given:
            before[name] = length_array(given[name], rows, name)
        elif name in found:
            before[name] = length_array(found[name][1], rows, name)
        elif name in state.lengths:
            before[name] = state.lengths[name]
        else:
            continue  # a dim that this step does not use
        limit = state.given.get(name, dim.bound)
        if before[name].size and int(before[name].max()) > limit:
            where = f" (tensor '{found[name][0]}')" if name in found else ""
            raise CapacityError(f"dim {name}{where}: {int(before[name].max())} exceeds {_limit(state, name)}")
    during = _grown(state, step, before)
    before, during = pipeline.with_derived(before), pipeline.with_derived(during)
    _check_shapes(state, arrays, during)
    return before, during


def _rows_of(state: State, per: str, before: LengthArrays) -> int:
    return state.given[per] if per in state.given else int(before[per][0])


def _limit(state: State, name: str) -> str:
    bound = state.pipeline.dims[name].bound
    capacity = state.given.get(name)
    return f"the state's capacity {capacity}" if capacity not in (None, bound) else f"its bound {bound}"


def _from_shapes(pipeline: Pipeline, arrays: Arrays) -> dict[str, tuple[str, int]]:
    """Run-time dim -> (the tensor that says so, its extent). Constant extents are checked on the way."""
    found: dict[str, tuple[str, int]] = {}
    for name, array in arrays.items():
        spec = pipeline.tensors[name]
        for position, (item, size) in enumerate(zip(spec.extents, array.shape, strict=True)):
            if not isinstance(item, str):
                if size != item:
                    raise InputError(
                        f"tensor '{name}': expected {_described(spec)}, got {list(array.shape)} "
                        f"({size} instead of {item} in dim {position})"
                    )
            elif item not in pipeline.growing and pipeline.dims[item].derived is None:
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


def _check_shapes(state: State, arrays: Arrays, during: LengthArrays) -> None:
    """An input along a growing or derived dim is as long as the dim is during the step."""
    pipeline = state.pipeline
    for name, array in arrays.items():
        spec = pipeline.tensors[name]
        wanted = box(spec.extents, pipeline.pers, during)
        if array.shape != wanted and any(a < w for a, w in zip(array.shape, wanted, strict=True)):
            raise InputError(f"tensor '{name}': expected {_described(spec)} = {list(wanted)}, got {list(array.shape)}")


def _described(spec: Tensor) -> str:
    return "[" + ", ".join(str(item) for item in spec.extents) + "]"
