"""Errors of the passes: what a pass met that it must not see, and where."""

from __future__ import annotations

from xdsl.dialects.builtin import FileLineColLoc
from xdsl.ir import Operation
from xdsl.utils.exceptions import PassFailedException


def rejected(op: Operation, flag: str, message: str) -> PassFailedException:
    """The error of the pass `flag` at `op`: `scan.mp:3:5: explicit-presence: message`."""
    place = op.location
    at = ""
    if isinstance(place, FileLineColLoc):
        at = f"{place.filename.data}:{place.line.data}:{place.column.data}: "
    return PassFailedException(f"{at}{flag}: {message}")
