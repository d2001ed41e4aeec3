"""What can go wrong in C simulation, one type each."""

from dataclasses import dataclass

from hetc.runtime import errors


class CsimError(errors.KernelError):
    """A simulated kernel, or building it, failed; the message says where and why."""


class CsimMachineError(CsimError, errors.MachineError):
    """What C simulation needs of the machine is missing, or does not work on it."""


class CompilerMissingError(CsimMachineError):
    """No C++ compiler was found."""


class CompilerFailedError(CsimMachineError):
    """The C++ compiler was stopped by the machine, or compiles nothing on it."""


class UnknownBuildTypeError(CsimError, errors.SettingError):
    """A way to build kernels was named that there is not."""


class HeadersMissingError(CsimMachineError):
    """The ap_int headers that the hls4ml wheel carries were not found."""


class CsimBuildError(CsimError):
    """The C++ compiler refused the kernel; `compiler_text` is what it said."""

    def __init__(self, message: str, compiler_text: str) -> None:
        super().__init__(f"{message}\n{compiler_text}")
        self.compiler_text = compiler_text


class CsimArgumentError(CsimError):
    """An argument does not fit the kernel's signature."""


class CsimTimeout(CsimError):
    """The kernel did not end in the time that one may take."""


@dataclass(frozen=True)
class BlockedProcess:
    """A process that waits for ever: what it wants to do (`read`, `write`, `poll`) on which FIFO."""

    process: str
    action: str
    fifo: str
    depth: int
    occupancy: int


class CsimDeadlock(CsimError):
    """No dataflow process can go on; `blocked` lists each that waits on a FIFO."""

    def __init__(self, message: str, blocked: tuple[BlockedProcess, ...]) -> None:
        super().__init__(message)
        self.blocked = blocked
