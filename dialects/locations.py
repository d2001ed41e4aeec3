"""Source locations on operations: where they come from and how they are kept.

xDSL's rewriter drops `Operation.location` when it replaces an op, so every pass that builds
operations goes through `located` (or `copy_location`) and a test walks each stage for losses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from xdsl.dialects.builtin import FileLineColLoc, IntAttr, StringAttr, UnknownLoc
from xdsl.ir import Attribute, Operation

from hetc.source import SourceFile, Span, plain_file_name

OperationT = TypeVar("OperationT", bound=Operation)


def file_location(file: str, line: int, column: int) -> FileLineColLoc:
    """The location attribute of `file:line:column` (both 1-based)."""
    return FileLineColLoc(StringAttr(file), IntAttr(line), IntAttr(column))


def copy_location(source: Operation, target: OperationT) -> OperationT:
    """Give `target`, and what is nested in it and has none, the location of `source`."""
    for op in target.walk() if target.regions else (target,):
        if isinstance(op.location, UnknownLoc):
            op.location = source.location
    return target


def located(source: Operation, ops: Iterable[OperationT]) -> Sequence[OperationT]:
    """`copy_location` over several new operations."""
    return [copy_location(source, op) for op in ops]


def source_line(op: Operation) -> str:
    """`scan.mp:31` for an op that has a file location, else ``""``: text that may stand in any comment."""
    location: Attribute = op.location
    return f"{source_file(op)}:{location.line.data}" if isinstance(location, FileLineColLoc) else ""


def source_file(op: Operation) -> str:
    """`scan.mp` for an op that has a file location, else ``""``: text that may stand in any comment."""
    location: Attribute = op.location
    return plain_file_name(location.filename.data) if isinstance(location, FileLineColLoc) else ""


def span_of(op: Operation, source: SourceFile) -> Span | None:
    """The place in the source that `op` came from."""
    location = op.location
    if not isinstance(location, FileLineColLoc):
        return None
    start = source.offset_of(location.line.data, location.column.data)
    return source.span(start, source.line_end(location.line.data))


def without_location(root: Operation) -> list[Operation]:
    """Every op under `root` (itself included) whose location was lost."""
    return [op for op in root.walk() if isinstance(op.location, UnknownLoc)]
