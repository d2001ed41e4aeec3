"""Triton's interpreter made right for the narrow types, and fast enough to test with.

`TRITON_INTERPRET=1` runs a Triton kernel on the CPU, operation by operation, in numpy. As released it is
silently wrong on bf16 and fp8: their arrays hold bit patterns, and dot, arithmetic, comparisons and reductions
combine the patterns as integers; fp32 -> bf16 truncates and fp32 -> e4m3 mangles; and `a and b` of two blocks
is b. `install` corrects that in place, checks the corrected interpreter on kernels of its own, and refuses to
emulate where the check fails.

    from hetc.runtime.triton_interpreter import install
    install()                # before `import triton`, or with TRITON_INTERPRET=1 in the environment
    import my_emitted_kernels

A process that emulates cannot compile kernels; `hetc.runtime.triton_compile` uses one of its own.
"""

from __future__ import annotations

import os
import sys

from hetc.runtime.errors import MachineError

OLDEST_TESTED = (3, 6)
NEWEST_TESTED = (3, 9)

_installed = False


class EmulationUnavailable(MachineError):
    """Kernels cannot be emulated here, or not faithfully; the message says what is missing."""


def install() -> None:
    """Correct Triton's interpreter in this process; the second call and later ones do nothing.

    Sets TRITON_INTERPRET=1 when Triton has not been imported yet; kernels must be defined after this call.
    Raises EmulationUnavailable when Triton, torch or ml_dtypes is absent, the Triton version is not a tested
    one, Triton was imported without TRITON_INTERPRET=1, or the self-test finds a wrong result.
    """
    global _installed
    if _installed:
        return
    os.environ.setdefault("TRITON_INTERPRET", "1")
    _require_packages()
    _require_version()
    _require_interpreting()
    from hetc.runtime import (
        triton_interpreter_launch,
        triton_interpreter_ops,
        triton_interpreter_reduce,
        triton_interpreter_syntax,
    )

    for part in (
        triton_interpreter_ops,
        triton_interpreter_reduce,
        triton_interpreter_syntax,
        triton_interpreter_launch,
    ):
        part.correct()
    from hetc.runtime.triton_interpreter_check import self_test

    failures = self_test()
    if failures:
        raise EmulationUnavailable(
            "the corrected Triton interpreter computes wrong results with the installed packages: "
            + "; ".join(failures)
        )
    _installed = True


def _require_packages() -> None:
    for package in ("torch", "ml_dtypes", "triton"):
        try:
            __import__(package)
        except ImportError as error:
            raise EmulationUnavailable(
                f"emulating GPU kernels needs the package {package} ({error}); `pip install hetc[run]` brings it"
            ) from error


def _require_version() -> None:
    import triton

    version = tuple(int(part) for part in triton.__version__.split(".")[:2])
    if not OLDEST_TESTED <= version <= NEWEST_TESTED:
        oldest, newest = (".".join(map(str, end)) for end in (OLDEST_TESTED, NEWEST_TESTED))
        raise EmulationUnavailable(
            f"Triton {triton.__version__} is installed; its interpreter was corrected and tested for "
            f"{oldest} to {newest}"
        )


def _require_interpreting() -> None:
    """Triton's own library functions are interpreted or compiled for good when Triton is imported."""
    import triton.language as tl
    from triton.runtime.interpreter import InterpretedFunction

    if os.environ.get("TRITON_INTERPRET") != "1" or not isinstance(tl.standard.sum, InterpretedFunction):
        value = os.environ.get("TRITON_INTERPRET")
        cause = f"TRITON_INTERPRET is `{value}`" if value != "1" else "Triton was imported without it"
        raise EmulationUnavailable(
            f"Triton reads TRITON_INTERPRET when it is imported, and {cause}: call install() before anything "
            "imports triton, or start Python with TRITON_INTERPRET=1"
        )


def installed() -> bool:
    """True once `install` has succeeded in this process."""
    return _installed and "triton" in sys.modules
