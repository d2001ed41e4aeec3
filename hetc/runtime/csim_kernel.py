"""A compiled C-simulation kernel: checks its arguments, calls it, and reads back what happened."""

import ctypes
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hetc.runtime.csim_errors import (
    BlockedProcess,
    CsimArgumentError,
    CsimDeadlock,
    CsimError,
    CsimMachineError,
    CsimTimeout,
)
from hetc.runtime.csim_fence import FencedArray
from hetc.runtime.kernel_limit import HOW_TO_RAISE, kernel_timeout_s

_SUCCEEDED, _DEADLOCKED, _TOO_LATE, _INTERRUPTED = 0, 1, 3, 4

# A scalar of the C interface -> how it lies in its 8-byte slot.
_SCALAR_FORMATS = {
    "i8": "b", "u8": "B", "i16": "h", "u16": "H", "i32": "i", "u32": "I", "i64": "q", "u64": "Q",
    "f32": "f", "f64": "d", "b8": "?",
}  # fmt: skip


# A run owns signals of the process: faults, a timer's, Ctrl-C.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class CsimReport:
    """What each FIFO did in one run: most elements held, its depth, and elements ever written.

    FIFOs of one name (one declared in a function that ran twice) are told apart as `name#2`.
    """

    high_water: dict[str, int] = field(default_factory=dict)
    fifo_depth: dict[str, int] = field(default_factory=dict)
    words: dict[str, int] = field(default_factory=dict)


class CsimKernel:
    """One kernel of a compiled library.

    `signature` has one entry an argument, as the compiler sees it: `p64` a pointer to 64-byte elements
    that the kernel may write, `c64` one that it only reads, `i32`, `u64`, `f32` a number.
    `warnings` is what the C++ compiler said while it built the library ("" if nothing).
    """

    def __init__(self, library: Path, top: str, warnings: str = "") -> None:
        self.library = library
        self.top = top
        self.warnings = warnings
        try:
            self._dll = ctypes.CDLL(str(library))
        except OSError as error:
            raise CsimMachineError(f"the library of kernel '{top}' cannot be loaded: {error}") from error
        self._call = getattr(self._dll, f"hetc_csim_call_{top}")
        self._call.argtypes = [ctypes.POINTER(ctypes.c_uint64)]
        self._call.restype = ctypes.c_int
        self._dll.hetc_csim_fault_address.restype = ctypes.c_uint64
        self._dll.hetc_csim_limit.argtypes = [ctypes.c_double]
        text = self._text(f"hetc_csim_signature_{top}")
        self.signature: tuple[str, ...] = tuple(text.split(",")) if text else ()

    def run(self, *arguments: object, signature: Sequence[str] | None = None, fenced: bool = True) -> CsimReport:
        """Calls the kernel, which writes into the arrays it is given.

        A pointer takes a C-contiguous numpy array of a whole number of elements, writable where the
        kernel may write; a number takes an int, a float or a numpy scalar in range. `signature`
        (`ptr`, `i32`, ...) is what the caller believes, compared with the kernel's own.
        `fenced` puts each array between inaccessible pages, so that an access past its end is an error
        that names it, at the cost of a copy each way; False passes the arrays where they lie.
        Raises CsimArgumentError, CsimDeadlock, CsimTimeout, CsimError, KeyboardInterrupt.
        """
        if signature is not None:
            self._compare(signature)
        if len(arguments) != len(self.signature):
            raise CsimArgumentError(
                f"kernel '{self.top}' takes {len(self.signature)} arguments, {len(arguments)} given"
            )
        for number, (kind, value) in enumerate(zip(self.signature, arguments, strict=True)):
            self._check(number, kind, value)
        fences = self._fence(arguments) if fenced else {}
        packed = b"".join(
            _scalar_slot(kind, value)
            if not isinstance(value, np.ndarray)
            else struct.pack("P", fences[number].start if fenced else value.ctypes.data)
            for number, (kind, value) in enumerate(zip(self.signature, arguments, strict=True))
        )
        slots = (ctypes.c_uint64 * max(1, len(arguments))).from_buffer_copy(packed or bytes(8))
        limit_s = kernel_timeout_s()
        with _ONE_AT_A_TIME:
            self._dll.hetc_csim_limit(limit_s or 0)
            outcome = self._call(slots)
        damaged = self._unfence(fences)
        if outcome == _INTERRUPTED:
            raise KeyboardInterrupt
        if outcome == _TOO_LATE and limit_s is not None:
            raise CsimTimeout(f"{self._error()} within {limit_s:g} s; {HOW_TO_RAISE}")
        if outcome == _DEADLOCKED:
            raise CsimDeadlock(self._error(), self._blocked())
        if outcome != _SUCCEEDED:
            raise CsimError(self._error() + self._fault_place(fences))
        if damaged:
            raise CsimError(f"kernel '{self.top}' writes in front of argument {damaged[0]}")
        return self._report()

    def _fence(self, arguments: Sequence[object]) -> dict[int, FencedArray]:
        """A fenced copy for each array argument; one that is passed twice is copied once."""
        fences: dict[int, FencedArray] = {}
        for number, value in enumerate(arguments):
            if not isinstance(value, np.ndarray):
                continue
            start, stop = value.ctypes.data, value.ctypes.data + value.nbytes
            for other, fence in fences.items():
                begin = fence.original.ctypes.data
                end = begin + fence.original.nbytes
                if (begin, end) == (start, stop):
                    fences[number] = fence
                    break
                if start < end and begin < stop and "p" in self.signature[number][0] + self.signature[other][0]:
                    raise CsimArgumentError(
                        f"arguments {other} and {number} of kernel '{self.top}' overlap in part: "
                        "their fenced copies would not (pass fenced=False)"
                    )
            else:
                fences[number] = FencedArray(value)
        return fences

    def _unfence(self, fences: dict[int, FencedArray]) -> list[int]:
        """Copies back what the kernel may have written; the arguments with damage in front of them."""
        written = {id(fence) for number, fence in fences.items() if self.signature[number][0] == "p"}
        return [number for number, fence in fences.items() if not fence.finish(id(fence) in written)]

    def _fault_place(self, fences: dict[int, FencedArray]) -> str:
        address = self._dll.hetc_csim_fault_address()
        for number, fence in fences.items():
            where = fence.locate(address)
            if where:
                return f", at argument {number} ({fence.original.nbytes} bytes): {where}"
        return ""

    def _compare(self, believed: Sequence[str]) -> None:
        own = ["ptr" if kind[0] in "pc" else kind for kind in self.signature]
        if list(believed) != own:
            raise CsimArgumentError(
                f"kernel '{self.top}' takes ({', '.join(own)}), the caller expects ({', '.join(believed)})"
            )

    def _check(self, number: int, kind: str, value: object) -> None:
        place = f"argument {number} of kernel '{self.top}'"
        if kind in _SCALAR_FORMATS:
            _check_scalar(place, kind, value)
            return
        if not isinstance(value, np.ndarray):
            raise CsimArgumentError(f"{place} is a pointer: expected a numpy array, got {type(value).__name__}")
        element_bytes = int(kind[1:])
        if not value.flags.c_contiguous:
            raise CsimArgumentError(f"{place}: the array is not contiguous")
        if kind[0] == "p" and not value.flags.writeable:
            raise CsimArgumentError(f"{place}: the kernel may write it, and the array is read-only")
        if value.nbytes % element_bytes:
            raise CsimArgumentError(
                f"{place}: {value.nbytes} bytes are not a whole number of {element_bytes}-byte elements"
            )
        if value.ctypes.data % min(element_bytes & -element_bytes, 8):
            raise CsimArgumentError(f"{place}: the array is not aligned for {element_bytes}-byte elements")

    def _text(self, function: str) -> str:
        call = getattr(self._dll, function)
        call.restype = ctypes.c_char_p
        return call().decode()

    def _error(self) -> str:
        return f"kernel '{self.top}': {self._text('hetc_csim_last_error')}"

    def _blocked(self) -> tuple[BlockedProcess, ...]:
        rows = (line.split("\t") for line in self._text("hetc_csim_blocked").splitlines())
        return tuple(
            BlockedProcess(process, action, fifo, int(depth), int(occupancy))
            for process, action, fifo, depth, occupancy in rows
        )

    def _report(self) -> CsimReport:
        report = CsimReport()
        for line in self._text("hetc_csim_report").splitlines():
            given, depth, high_water, words = line.split("\t")
            name, same = given, 1
            while name in report.fifo_depth:
                same += 1
                name = f"{given}#{same}"
            report.fifo_depth[name] = int(depth)
            report.high_water[name] = int(high_water)
            report.words[name] = int(words)
        return report


def _check_scalar(place: str, kind: str, value: object) -> None:
    if kind[0] == "f":
        if not isinstance(value, int | float | np.floating | np.integer):
            raise CsimArgumentError(f"{place} is {kind}: expected a number, got {type(value).__name__}")
    elif not isinstance(value, int | np.integer | np.bool_):
        raise CsimArgumentError(f"{place} is {kind}: expected an integer, got {type(value).__name__}")
    try:
        _scalar_slot(kind, value)
    except (struct.error, OverflowError) as reason:
        raise CsimArgumentError(f"{place}: {value!r} does not fit {kind}") from reason


def _scalar_slot(kind: str, value: Any) -> bytes:
    plain = float(value) if kind[0] == "f" else int(value)
    return struct.pack(f"<{_SCALAR_FORMATS[kind]}", plain).ljust(8, b"\0")
