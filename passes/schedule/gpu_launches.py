"""Which neighbouring statements of a kernel run in one launch.

A launch gives each program a tile of rows: positions of the indices that all of its statements begin with. A program
evaluates the statements one after the other on its rows, so one may read of another what the same program wrote, and
nothing else of it: programs do not wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hetc.dialects.mp import ComputeOp, RangedOp, ReadOp, ReadStoredOp, extent_key
from hetc.passes.schedule.gpu_tiles import Planner, StatementPlan


@dataclass(frozen=True)
class Unit:
    """Statements of one launch (of a selection: of a few). numbers: their places in the kernel. rows: how many leading
    indices the programs run over; None for a statement alone, whose programs run over all of its indices."""

    numbers: tuple[int, ...]
    statements: tuple[RangedOp, ...]
    plans: tuple[StatementPlan, ...]
    rows: int | None = None


Cost = Callable[[Unit], float]

MOST_PRODUCTS = 2
"""Matrix products of statements in one launch. In f32, six of 384 x 384 spilled registers on sm_80 and fifteen on
sm_90 too, three in an encoder's layer of 768 on both (ptxas, Triton 3.9)."""

MOST_STATEMENTS = 64
"""Statements in one launch. What joining is compared by costs the square of it."""


def may_share(statements: Sequence[ComputeOp], rows: int) -> bool:
    """Whether programs over tiles of the first `rows` indices can run these statements in order: the indices are the
    same, and what a statement reads of the results of others lies in the rows that it is evaluated for."""
    if any(_rows_of(op, rows) != _rows_of(statements[0], rows) for op in statements):
        return False
    results = {op.result for op in statements}
    return all(
        tuple(read.indices[:rows]) == tuple(op.body.block.args[:rows])
        for op in statements
        for read in op.walk()
        if isinstance(read, ReadOp | ReadStoredOp) and read.tensor in results
    )


def _rows_of(op: RangedOp, rows: int) -> list[tuple[int | str, int | None]] | None:
    ranges = list(op.index_ranges)
    if len(ranges) < rows:
        return None
    return [(extent_key(item.extent), item.per_position) for item in ranges[:rows]]


@dataclass
class Grouping:
    """Joins a statement to the launch before it where that is allowed and `cost` finds the whole cheaper."""

    cost: Cost
    _planned: dict[tuple[RangedOp, tuple[int, ...] | None], StatementPlan | None] = field(default_factory=dict)
    _planners: dict[RangedOp, Planner] = field(default_factory=dict)

    def units(self, statements: Sequence[tuple[int, RangedOp]]) -> list[Unit]:
        """The launches of a kernel's statements, in order."""
        found: list[Unit] = []
        for number, op in statements:
            plan = self._plan(op, None)
            assert plan is not None
            alone = Unit((number,), (op,), (plan,))
            joined = self._joined(found[-1], alone) if found else None
            if joined is not None:
                found[-1] = joined
            else:
                found.append(alone)
        return found

    def _joined(self, before: Unit, alone: Unit) -> Unit | None:
        statements = [op for op in (*before.statements, *alone.statements) if isinstance(op, ComputeOp)]
        if not len(before.statements) < len(statements) <= MOST_STATEMENTS:
            return None
        best, best_cost = None, self.cost(before) + self.cost(alone)
        for rows in range(min(len(op.index_ranges) for op in statements), -1, -1):
            if best is not None:
                break  # fewer rows are fewer programs
            if not may_share(statements, rows):
                continue
            for tiles in _row_tiles(before, alone, rows):
                plans = [self._plan(op, tiles) for op in statements]
                if any(plan is None for plan in plans):
                    continue
                kept = tuple(plan for plan in plans if plan is not None)
                if sum(len(plan.products) for plan in kept) > MOST_PRODUCTS:
                    continue
                unit = Unit((*before.numbers, *alone.numbers), tuple(statements), kept, rows)
                cost = self.cost(unit)
                if cost < best_cost:
                    best, best_cost = unit, cost
        return best

    def _plan(self, op: RangedOp, rows: tuple[int, ...] | None) -> StatementPlan | None:
        """The plan of a statement with tiles of its first indices given; None where it cannot have those."""
        key = (op, rows)
        if key not in self._planned:
            if op not in self._planners:
                self._planners[op] = Planner(op)
            self._planned[key] = _planned(self._planners[op], rows)
        return self._planned[key]


def _row_tiles(before: Unit, alone: Unit, rows: int) -> list[tuple[int, ...]]:
    """The tiles of rows that a launch, and the statement that may join it, have now, and single rows."""
    found = {(1,) * rows: None}
    for unit in (before, alone):
        found[tuple(unit.plans[0].tiles[index] for index in unit.statements[0].body.block.args[:rows])] = None
    return list(found)


def _planned(planner: Planner, rows: tuple[int, ...] | None) -> StatementPlan | None:
    arguments = list(planner.statement.body.block.args)
    if rows is None:
        return planner.plan(arguments, {})
    given = {planner.labels[index]: size for index, size in zip(arguments, rows, strict=False)}
    plan = planner.plan(arguments, given)
    again = planner.plan(arguments, plan.by_loop)  # as the lowering will call it
    taken = tuple(again.tiles[index] for index in arguments[: len(rows)])
    return again if taken == rows and again.by_loop == plan.by_loop else None
