"""What the operating system refuses, as diagnostics: a full disk, a directory that cannot be written, no memory."""

from __future__ import annotations

import errno
import os

from hetc.diagnostics.model import EXIT_ENVIRONMENT, EXIT_USAGE, Diagnostic, DiagnosticError

# What another path would not help against, in most cases.
_OF_THE_MACHINE = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN)
)


def reason_of(error: OSError) -> str:
    """What the system says, in its own words: `no space left on device`."""
    said = error.strerror or str(error) or type(error).__name__
    return said[:1].lower() + said[1:]


def cannot_write(what: str, error: OSError, code: str, help: str) -> DiagnosticError:
    """A path of the user's that cannot be written: usage (exit 2) with `code` and `help`; the environment (exit 3)
    where the machine is at its limits."""
    message = f"cannot write `{what}`: {reason_of(error)}"
    if error.errno in _OF_THE_MACHINE:
        return DiagnosticError(Diagnostic("error", "HET503", message, help="nothing was written"), EXIT_ENVIRONMENT)
    return DiagnosticError(Diagnostic("error", code, message, help=help), EXIT_USAGE)


def cannot_import(error: ImportError) -> DiagnosticError:
    """A package that is not there, or is there and does not load (exit 3)."""
    help = "`hetc doctor` lists what is needed, what is installed, and how to get the rest"
    message = f"a package that is needed cannot be imported: {error}"
    return DiagnosticError(Diagnostic("error", "HET501", message, help=help), EXIT_ENVIRONMENT)


def system_refuses(error: OSError | MemoryError) -> DiagnosticError:
    """An error of the system's that nothing nearer could explain (exit 3)."""
    if isinstance(error, MemoryError):
        said = str(error)
        message = f"this machine has not enough memory{f': {said[:1].lower()}{said[1:]}' if said else ''}"
        help = "smaller extents need less: -D NAME=N lowers a dim or its bound"
        return DiagnosticError(Diagnostic("error", "HET503", message, help=help), EXIT_ENVIRONMENT)
    message = reason_of(error) + (f": `{error.filename}`" if error.filename else "")
    try:
        os.getcwd()
    except OSError:
        message = "the current directory is no longer there"
    return DiagnosticError(Diagnostic("error", "HET503", f"the system refuses: {message}"), EXIT_ENVIRONMENT)
