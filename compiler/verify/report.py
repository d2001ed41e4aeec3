"""The verdict of a run, one row a stage."""

from __future__ import annotations

from dataclasses import dataclass, field

NOT_CHECKED = "not checked"
"""The note of a row that was run and compared with nothing."""


@dataclass(frozen=True)
class Row:
    """What one stage (or the memories) did over all calls: the worst of its values.

    backend: what really ran. max_error, tolerance: of the value that was worst in proportion; None where nothing was
    compared. near_ties: selected entries that differ from the oracle's within tolerance, None without a selection.
    unjudged: elements that differ and have no bound to be judged by, f32 having overflowed on the way to them.
    """

    stage: str
    device: str
    backend: str
    max_error: float | None
    tolerance: float | None
    near_ties: int | None
    ok: bool
    note: str = ""
    unjudged: int = 0


@dataclass
class RunReport:
    """Rows in program order, the backends by device kind, which of those emulate, and how many calls were made.

    extents: of the run-time dims: one, or one for each row or call where they differ; of a dim that grows those before
    the first call."""

    rows: list[Row] = field(default_factory=list)
    backends: dict[str, str] = field(default_factory=dict)
    emulated: tuple[str, ...] = ()
    calls: int = 0
    bytes_moved: int = 0
    extents: dict[str, list[int]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return all(row.ok for row in self.rows)
