"""What can go wrong when a compiled pipeline runs, one type each.

Every one leaves the state as it was: a step takes effect only when all of it has succeeded. What goes wrong in a kernel
is told by its device kind, as KernelErrors of its own.
"""

from __future__ import annotations


class PipelineError(Exception):
    """A compiled pipeline cannot do what it was asked; the message names the step, tensor or device."""


class InputError(PipelineError):
    """A tensor handed in is missing, unknown, or of the wrong dtype, rank or extents."""


class CapacityError(PipelineError):
    """A dim would outgrow its bound or what the state was allocated with."""


class StateError(PipelineError):
    """A state is used in a way that it does not allow, e.g. with another pipeline's step."""


class ReadOnlyError(StateError, AttributeError):
    """Something is set that is only to be read; the message says what to do instead."""


class DeviceMissingError(PipelineError):
    """The real device that was asked for is not in this machine, or its driver's Python module is not."""


class DeviceError(PipelineError):
    """A device did not complete what it was given."""


class KernelError(Exception):
    """A device's kernels could not be built, loaded or emulated; the message says why."""


class MachineError(KernelError):
    """What running a device's kernels needs of the machine is missing, or does not work on it."""


class SettingError(KernelError):
    """What a user chose about running kernels, such as how they are built, is nothing that there is."""


class ProgramError(PipelineError):
    """A work directory holds no program that this version can load."""
