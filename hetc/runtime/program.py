"""Compiled programs: the class that generated host programs derive from, and loading one from a work directory."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hetc.runtime.buffers import Buffer, Stripes, allocate
from hetc.runtime.devices import ANY, HOST, Device, open_device
from hetc.runtime.elements import INDEX, host_dtype, is_torch
from hetc.runtime.errors import ProgramError, StateError
from hetc.runtime.inputs import check_names, convert, live_lengths
from hetc.runtime.specification import Pipeline
from hetc.runtime.state import State
from hetc.runtime.step_run import StepRun
from hetc.runtime.trace import OnKernel, OnTransfer


class Weights:
    """Weights seen before, by object: a tensor handed in again is converted and uploaded once.

    torch counts in-place changes; a numpy array changed in place must be handed in as another object, or
    `forget` called.
    """

    def __init__(self) -> None:
        self._hosts: dict[str, tuple[Any, int, NDArray]] = {}
        self._devices: dict[tuple[str, tuple[int, ...], str, Any], tuple[NDArray, Buffer]] = {}

    def known(self, given: Mapping[str, Any]) -> dict[str, NDArray]:
        """The host arrays of those given tensors that are unchanged."""
        found = {}
        for name, value in given.items():
            held = self._hosts.get(name)
            if held is not None and held[0] is value and held[1] == _version(value):
                found[name] = held[2]
        return found

    def remember(self, name: str, value: Any, array: NDArray) -> None:
        self._hosts[name] = (value, _version(value), array)

    def on_device(
        self,
        source: Buffer,
        kind: str,
        stripes: Stripes | None,
        copy: Callable[[Buffer, Buffer], None],
        state: State,
    ) -> Buffer:
        """The weight's buffer on a device; copied where it is not there yet."""
        host = self._hosts[source.name][2]
        key = (source.name, source.layers, kind, stripes)
        held = self._devices.get(key)
        if held is None or held[0] is not host:
            buffer = allocate(
                state.devices[kind], source.extents, source.shape, source.element, stripes, name=source.name
            )
            copy(source, buffer)
            held = (host, buffer)
            self._devices[key] = held
        return held[1]

    def forget(self) -> None:
        """Convert and upload every weight again at the next call."""
        self._hosts.clear()
        self._devices.clear()


def _version(value: Any) -> int:
    return int(value._version) if is_torch(value) else 0


class HostProgram:
    """Base of generated host programs: one method a step, memories in states made by `new_state`.

    on_kernel(KernelTrace), on_transfer(TransferTrace): set to see every kernel and every copy; tracing a kernel
    reads its tensors back, and so waits for the device.
    """

    PIPELINE: ClassVar[Pipeline]
    KERNELS: ClassVar[Mapping[str, tuple[str, ...]]]
    METHODS: ClassVar[Mapping[str, str]]
    CONSTANTS: ClassVar[Mapping[str, tuple[tuple[int, ...], str, Any]]] = {}

    def __init__(
        self, directory: str | Path, mode: str = ANY, device_options: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        """Open the devices and load the kernels of a work directory.

        mode: `hardware`, `emulation` or `any` (see `open_device`). device_options: by kind, e.g.
        {"fpga": {"xclbin": "..."}}. Raises DeviceMissingError, DeviceError.
        """
        self.directory = Path(directory)
        options = dict(device_options or {})
        self.devices: dict[str, Device] = {HOST: open_device()}
        for kind in self.PIPELINE.devices:
            if kind != HOST:
                self.devices[kind] = open_device(kind, mode, **options.get(kind, {}))
                self.devices[kind].load(self.directory, self.KERNELS.get(kind, ()))
        self.weights = Weights()
        self.on_kernel: OnKernel | None = None
        self.on_transfer: OnTransfer | None = None
        self._constants: dict[tuple[str, str], Buffer] = {}
        self._pass_numbers: dict[tuple[int, str], Buffer] = {}

    @property
    def backends(self) -> dict[str, str]:
        """What really runs the kernels of each device kind."""
        return {kind: device.backend for kind, device in self.devices.items() if kind != HOST}

    def new_state(self, pages: Mapping[str, int] | None = None, /, **capacities: int) -> State:
        """Memories of these capacities, empty: `new_state(B=4, T=65536)`. pages: for memories in pages, how many there
        are along a dim (default: as many as all sequences at capacity need). Raises InputError, CapacityError."""
        return State(self.PIPELINE, self.devices, capacities, pages)

    def step(self, name: str) -> Callable[..., dict[str, Any]]:
        """The method of a step: `step(name)(state, lengths, **tensors) -> {output: tensor}`. `lengths` (may be left
        out) gives live extents that no tensor's shape says, e.g. {"N": [3, 7]} for a dim per a row."""
        if name not in self.PIPELINE.steps:
            raise StateError(
                f"pipeline '{self.PIPELINE.name}' has no step '{name}'; it has {', '.join(self.PIPELINE.steps)}"
            )
        return getattr(self, self.METHODS[name])

    def begin(
        self, step: str, state: State, tensors: Mapping[str, Any], lengths: Mapping[str, object] | None = None
    ) -> StepRun:
        """Check everything that a call is given; nothing has changed when this raises."""
        if state.pipeline is not self.PIPELINE:
            raise StateError(f"the state belongs to pipeline '{state.pipeline.name}'")
        check_names(self.PIPELINE, step, tensors)
        weights = {n: v for n, v in tensors.items() if self.PIPELINE.tensors[n].role == "weight"}
        arrays = convert(self.PIPELINE, tensors, self.weights.known(weights))
        for name, value in weights.items():
            self.weights.remember(name, value, arrays[name])
        before, during = live_lengths(state, step, arrays, dict(lengths or {}))
        return StepRun(self, state, step, arrays, before, during)

    def call_capacities(self, state: State, lengths: Mapping[str, NDArray]) -> dict[str, int]:
        """The state's capacities, and for dims that only a call's own tensors have, the most seen so far."""
        for name, values in lengths.items():
            if name not in state.given and self.PIPELINE.dims[name].derived is None:
                state.capacities[name] = max(state.capacities.get(name, 1), int(values.max(initial=0)))
        plain = {name: value for name, value in state.capacities.items() if self.PIPELINE.dims[name].derived is None}
        state.capacities.update({name: int(value) for name, value in self.PIPELINE.with_derived(plain).items()})
        return state.capacities

    def constant(self, name: str, kind: str) -> Buffer:
        """A table on a device, uploaded once."""
        if (name, kind) not in self._constants:
            shape, element, values = self.CONSTANTS[name]
            from hetc.runtime.elements import to_host

            host = np.asarray(values)
            if host.dtype.kind == "f":
                host = host.astype(np.float32)
            elif element == "bool":
                host = host.astype(np.bool_)
            buffer = allocate(self.devices[kind], shape, shape, element, name=name)
            buffer.write_rows(np.zeros(1, np.int64), to_host(host, element, name).reshape(1, -1))
            self._constants[name, kind] = buffer
        return self._constants[name, kind]

    def pass_number(self, number: int, kind: str) -> Buffer:
        """The number of a loop's pass on a device, uploaded once."""
        if (number, kind) not in self._pass_numbers:
            buffer = allocate(self.devices[kind], (), (), INDEX, name="pass")
            buffer.write_rows(np.zeros(1, np.int64), np.array([[number]], host_dtype(INDEX)))
            self._pass_numbers[number, kind] = buffer
        return self._pass_numbers[number, kind]


def load_program(
    directory: str | Path, mode: str = ANY, device_options: Mapping[str, Mapping[str, Any]] | None = None
) -> HostProgram:
    """The program of a work directory: its `host/<pipeline>_host.py`, with devices opened and kernels loaded.

    Raises ProgramError where there is no such program, DeviceMissingError, DeviceError.
    """
    folder = Path(directory) / "host"
    found = sorted(folder.glob("*_host.py"))
    if len(found) != 1:
        what = ", ".join(path.name for path in found) or "no host program (*_host.py)"
        raise ProgramError(f"{folder} holds {what}; expected one")
    name = "hetc_host_" + str(found[0].resolve()).encode().hex()
    spec = importlib.util.spec_from_file_location(name, found[0])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except ImportError as error:
        raise ProgramError(f"{found[0]} cannot be imported: {error}") from error
    program = getattr(module, "Program", None)
    if not (isinstance(program, type) and issubclass(program, HostProgram)):
        raise ProgramError(f"{found[0]} defines no class Program")
    return program(directory, mode, device_options)
