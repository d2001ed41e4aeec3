"""Several statements in one launch: each program evaluates them in turn on its rows (see schedule.gpu_launches)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects import arith
from xdsl.ir import Operation, SSAValue

from hetc.dialects import tile
from hetc.dialects.mp import ComputeOp, extent_key
from hetc.passes.lower_triton.builder import named
from hetc.passes.lower_triton.statement import Launch, Task
from hetc.passes.schedule.gpu_dependencies import Dependencies


def lower_group(task: Task, statements: Sequence[tuple[int, Operation]], first: int) -> None:
    """One launch for statements that the schedule joined; its programs run over the leading indices they share."""
    rows = task.chosen[f"rows.s{first}"]
    parts: list[_Part] = []
    for number, op in statements:
        assert isinstance(op, ComputeOp)
        parts.append(_Part(task, op, number, parts[0].launch if parts else None))
    launch = parts[0].launch
    program = named(launch.builder.add(tile.ProgramIdOp()), "program")
    grid = launch.bind_rows(parts[0].free[:rows], program)
    tiles = [[part.launch.plan.tiles[index] for index in part.free[:rows]] for part in parts]
    if any(sizes != tiles[0] for sizes in tiles):
        raise AssertionError(f"statements of one launch over different tiles of rows: {tiles}")

    def body() -> None:
        for part in parts:
            with launch.builder.at(part.op):
                if part is not parts[0]:
                    launch.builder.add(tile.BarrierOp())
                    part.launch.bind_at(part.free[:rows], launch.starts)
                part.run(part.free[rows:])

    launch.builder.when(launch.alive, body)
    warps = max(part.launch.plan.num_warps for part in parts)
    launch.finish(task.buffers[parts[-1].op.result].name, grid, warps)


class _Part:
    """One statement of the launch."""

    def __init__(self, task: Task, op: ComputeOp, number: int, within: Launch | None):
        dependencies = Dependencies(op)
        self.op, self.free = op, list(op.body.block.args)
        plan = task.plan_of(op, self.free, dependencies, number)
        self.launch = Launch(task, op, plan, dependencies, within)
        self.result = task.buffers[op.result]

    def run(self, inner: Sequence[SSAValue]) -> None:
        """Evaluate and store the program's rows, tile by tile of the inner indices."""
        region = self.launch.region
        if inner:
            region.hoist(self.op.body.block)
            self._over(inner[0], lambda: self.run(inner[1:]))
            return
        region.lower_block(self.op.body.block)
        value = region.values[self.op.yielded.value]
        indices = [region.values[index] for index in self.free]
        self.launch.store(self.result, indices, value, region.lanes(frozenset(self.free)))

    def _over(self, index: SSAValue, body: Callable[[], None]) -> None:
        """Run the body for each tile of an index."""
        launch, region, builder = self.launch, self.launch.region, self.launch.builder
        item = launch.ranges[index]
        extent, size = extent_key(item.extent), launch.plan.tiles[index]
        lane = region.lane(index)
        if isinstance(extent, int) and extent <= size:
            region.bind(index, lane, None if extent == size else builder.compare("lt", lane, extent))
            body()
            return
        if isinstance(extent, int):
            limit = upper = builder.constant(extent)
            exact = extent % size == 0
        else:
            per = None if item.per_position is None else self.free[item.per_position]
            limit = region.extent(extent, per)
            upper, exact = region.largest(limit), False
        tiled = index in launch.plan.dims

        def turn(start: SSAValue, kept: list[SSAValue]) -> Sequence[SSAValue]:
            position = builder.binary(arith.AddiOp, start, lane) if tiled else start
            outside = dict(region.values)
            region.bind(index, position, None if exact else builder.compare("lt", position, limit))
            body()
            region.values = outside
            return kept

        builder.loop(upper, size, [], turn, f"{index.name_hint}_start" if tiled else index.name_hint)
