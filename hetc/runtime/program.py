"""Compiled programs: the class that generated host programs derive from, and loading one from a work directory."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hetc.runtime.buffers import Buffer, allocate
from hetc.runtime.call import Call
from hetc.runtime.call_lengths import CallLengths, LengthArrays, extents_of
from hetc.runtime.devices import ANY, HOST, Device, open_device
from hetc.runtime.elements import INDEX, host_dtype
from hetc.runtime.errors import InputError, ProgramError, StateError
from hetc.runtime.guarded import Guarded
from hetc.runtime.inputs import Given, as_given, check_names
from hetc.runtime.modules import import_file
from hetc.runtime.plan_builder import PlanBuilder
from hetc.runtime.specification import Pipeline
from hetc.runtime.state import State
from hetc.runtime.step_plan import StepPlan
from hetc.runtime.tensors import to_host
from hetc.runtime.trace import OnKernel, OnTransfer
from hetc.runtime.weights import FrozenWeights


class HostProgram(Guarded):
    """Base of generated host programs: one method a step, memories in states made by `new_state`.

    METHODS, PLANS: by step the names of its method, and of the one that says what a call of it does.

    on_kernel(KernelTrace), on_transfer(TransferTrace): set to see every kernel and every copy; tracing a kernel
    reads its tensors back, and so waits for the device.
    """

    SETTABLE = frozenset({"on_kernel", "on_transfer"})
    PIPELINE: ClassVar[Pipeline]
    KERNELS: ClassVar[Mapping[str, tuple[str, ...]]]
    METHODS: ClassVar[Mapping[str, str]]
    PLANS: ClassVar[Mapping[str, str]]
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
        self.frozen_weights = FrozenWeights(self.PIPELINE)
        self.on_kernel: OnKernel | None = None
        self.on_transfer: OnTransfer | None = None
        self._accepted: set[Hashable] = set()
        self._constants: dict[tuple[str, str], Buffer] = {}
        self._pass_numbers: dict[tuple[int, str], Buffer] = {}
        self._guard()

    def __repr__(self) -> str:
        return f"<program of pipeline '{self.PIPELINE.name}' in {self.directory}>"

    def _instead(self, name: str) -> str:
        tensor = self.PIPELINE.tensors.get(name)
        if tensor is None:
            return f"what can be set is {', '.join(sorted(self.SETTABLE))}"
        if tensor.role == "memory":
            return f"state.load('{name}', array) sets a memory"
        freezes = f", or program.freeze({name}=...) keeps it" if tensor.role == "weight" else ""
        return f"a step is called with it{freezes}"

    @property
    def backends(self) -> dict[str, str]:
        """What really runs the kernels of each device kind."""
        return {kind: device.backend for kind, device in self.devices.items() if kind != HOST}

    @property
    def emulated(self) -> tuple[str, ...]:
        """The device kinds that something else stands for."""
        return tuple(kind for kind, device in self.devices.items() if device.emulated)

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

    @property
    def frozen(self) -> tuple[str, ...]:
        """The weights that are frozen, by name."""
        return self.frozen_weights.names

    def freeze(self, /, *names: str, **weights: Any) -> None:
        """Say that weights stay as they are: those named, those given (`freeze(W=tensor)`), or all without arguments.

        A frozen weight is copied, and moved to each device once, for all states. Its values are those given here, else
        those of the next call that gives it. Calls may then leave it out; one that gives it is refused unless it holds
        the same values, which are compared each time. Freezing again changes nothing. A torch tensor of the declared
        dtype on the GPU that reads it is used where it lies when it is not frozen: there it saves a copy not to freeze.
        Raises InputError for a name that is no weight, and for values other than those frozen before."""
        chosen = self.frozen_weights.checked([*names, *weights])
        given = as_given(self.PIPELINE, weights, self.devices)
        extents_of(self.PIPELINE, {name: item.shape for name, item in given.items()})
        self.frozen_weights.of_call(given, ())
        self.frozen_weights.freeze(chosen)
        self.frozen_weights.keep(given)

    def unfreeze(self, /, *names: str) -> None:
        """Read these weights (all without arguments) at each call again, and drop their copies. Raises InputError for a
        name that is no weight."""
        self.frozen_weights.unfreeze(names)

    def call(
        self, step: str, state: State, lengths: Mapping[str, object] | None, tensors: Mapping[str, Any]
    ) -> dict[str, Any]:
        """One call of a step: what its method does. Nothing has changed when this raises."""
        if not isinstance(state, State):
            raise StateError(f"step '{step}': expected a state made by new_state, got {type(state).__name__}")
        if lengths is not None and not isinstance(lengths, Mapping):
            found = type(lengths).__name__
            raise InputError(f"step '{step}': expected a mapping of lengths, got {found}; tensors are given by name")
        pipeline = self.PIPELINE
        if state.pipeline is not pipeline:
            raise StateError(f"the state belongs to pipeline '{state.pipeline.name}'")
        names = (step, self.frozen_weights.version, *tensors)
        if names not in self._accepted:
            check_names(pipeline, step, tensors, self.frozen_weights.known)
            self._accepted.add(names)
        given = as_given(pipeline, tensors, self.devices, state.bound)
        frozen = self.frozen_weights.of_call(given, pipeline.steps[step].takes)
        state.enter(step)
        try:
            return self._carry_out(step, state, given, frozen, lengths or {})
        finally:
            state.leave()

    def _carry_out(
        self,
        step: str,
        state: State,
        given: dict[str, Given],
        frozen: dict[str, Buffer],
        said: Mapping[str, object],
    ) -> dict[str, Any]:
        """said: the lengths that the caller says."""
        if frozen:
            given = {name: item for name, item in given.items() if name not in frozen}
        of, key = (self, self.frozen_weights.version), _key(step, given, said)
        plan = state.plans.get(of, key)
        of_call = CallLengths(state, step, _shapes(given) | _shapes(frozen)) if plan is None else plan.lengths
        lengths = of_call.of(state, said)
        new = self.frozen_weights.keep(given)  # a call that is refused until here has said nothing
        if new:
            return self._carry_out(step, state, given, frozen | new, said)
        if plan is None or said:
            state.make_room(lengths.during)
            plan = state.plans.get(of, key)
        if plan is None:
            plan = self._planned(step, state, given, frozen, of_call, lengths.during)
            state.plans.add(key, plan)
        try:
            state.pools.refresh()  # the caller's table is looked at whether or not the step appends
            state.hold_pages(lengths.during, self.PIPELINE.kept)
            return plan.run(Call(self, state, step, lengths), given)
        finally:  # the state is as long as it says
            state.hold_pages(state.lengths, self.PIPELINE.steps[step].grows)

    def _planned(
        self,
        step: str,
        state: State,
        given: Mapping[str, Given],
        frozen: Mapping[str, Buffer],
        lengths: CallLengths,
        during: LengthArrays,
    ) -> StepPlan:
        builder = PlanBuilder(self, state, step, given, frozen, lengths, during)
        getattr(self, self.PLANS[step])(builder)
        if builder.made is None:
            raise ProgramError(f"'{self.PLANS[step]}' of the host program does not end with plan.finish(...)")
        return builder.made

    def constant(self, name: str, kind: str) -> Buffer:
        """A table on a device, uploaded once."""
        if (name, kind) not in self._constants:
            shape, element, values = self.CONSTANTS[name]
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


def _key(step: str, given: Mapping[str, Given], said: Mapping[str, object]) -> Hashable:
    """What calls have in common that one plan is for."""
    return (step, *said, *[(name, item.device.kind, item.shape) for name, item in given.items()])


def _shapes(tensors: Mapping[str, Given] | Mapping[str, Buffer]) -> dict[str, tuple[int, ...]]:
    return {name: item.shape for name, item in tensors.items()}


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
    module = import_file(found[0], "host")
    program = getattr(module, "Program", None)
    if not (isinstance(program, type) and issubclass(program, HostProgram)):
        raise ProgramError(f"{found[0]} defines no class Program")
    return program(directory, mode, device_options)
