"""Launches of one statement: the grid over its free indices, its region on tiles, its stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xdsl.dialects import arith
from xdsl.ir import Region as BodyRegion
from xdsl.ir import SSAValue

from hetc.dialects import tile
from hetc.dialects.locations import copy_location
from hetc.dialects.mp import ComputeOp, DimOp, RangeAttr, RangedOp, TensorType, extent_key
from hetc.dialects.tile import GridAttr
from hetc.passes.lower_triton.arguments import Arguments, Buffer, element_bound, flat_offset
from hetc.passes.lower_triton.builder import Mask, TileBuilder, named
from hetc.passes.lower_triton.convert import narrowed
from hetc.passes.lower_triton.region import Region
from hetc.passes.schedule.gpu_checks import GpuRefused
from hetc.passes.schedule.gpu_dependencies import Dependencies
from hetc.passes.schedule.gpu_tiles import StatementPlan, plan_statement


@dataclass
class Task:
    """A task kernel being lowered: its name, the pipeline's dims, where each of its tensors lives, the scratch
    buffers made so far, its launches, and the tile sizes that its schedule chose (`<statement>.<loop>`)."""

    name: str
    dims: Mapping[str, DimOp]
    buffers: dict[SSAValue, Buffer] = field(default_factory=dict)
    scratch: list[TensorType] = field(default_factory=list)
    launches: list[tile.KernelOp] = field(default_factory=list)
    chosen: Mapping[str, int] = field(default_factory=dict)

    def new_scratch(self, type: TensorType, name: str) -> Buffer:
        self.scratch.append(type)
        return Buffer("scratch", len(self.scratch) - 1, type, name)

    def tiles_of(self, statement: int) -> dict[str, int]:
        """The schedule's tile sizes of one statement, by loop (see labels_of)."""
        prefix = f"s{statement}."
        return {key.removeprefix(prefix): size for key, size in self.chosen.items() if key.startswith(prefix)}

    def plan_of(self, op: RangedOp, free: Sequence[SSAValue], dependencies: Dependencies, number: int) -> StatementPlan:
        """The plan of a statement whose grid runs over `free`: what its schedule chose. Raises GpuRefused where its
        tiles are other than those that can be emitted."""
        chosen = self.tiles_of(number)
        plan = plan_statement(op, free, dependencies, chosen)
        for loop, size in chosen.items():
            if plan.by_loop.get(loop) != size:
                raise GpuRefused(f"the schedule's tile of {size} for {loop} cannot be kept", op)
        return plan

    def group_of(self, statement: int) -> list[int]:
        """The statements that run in one launch with this one, itself included."""
        first = self.chosen.get(f"launch.s{statement}")
        if first is None:
            return [statement]
        return sorted(
            int(key.removeprefix("launch.s"))
            for key, size in self.chosen.items()
            if key.startswith("launch.s") and size == first
        )


class Launch:
    """One kernel in the making: its arguments, its builder, and the region evaluator of its statement."""

    def __init__(
        self,
        task: Task,
        statement: RangedOp,
        plan: StatementPlan,
        dependencies: Dependencies,
        within: Launch | None = None,
    ):
        """within: the launch that the statement joins; its arguments and its text go there."""
        self.task, self.statement, self.plan, self.within = task, statement, plan, within
        self.arguments: Arguments = within.arguments if within is not None else Arguments(task.dims)
        self.builder: TileBuilder = (
            within.builder if within is not None else TileBuilder(self.arguments.block, statement)
        )
        self.region = Region(self.builder, self.arguments, task.buffers, dependencies, plan)
        self.alive: Mask = None
        """The scalar condition that this program has any element at all."""
        self.starts: list[SSAValue] = []
        """The first element of each bound index."""

    def bind_grid(self, free: Sequence[SSAValue]) -> list[GridAttr]:
        """Spread the programs over the free indices, the last one fastest, and bind them. Returns the grid."""
        return self.bind_rows(free, named(self.builder.add(tile.ProgramIdOp()), "program"))

    def bind_rows(self, free: Sequence[SSAValue], program: SSAValue) -> list[GridAttr]:
        """The same for a given program number."""
        starts, grid = self._starts(free, self.ranges, program)
        self.bind_at(free, [starts[index] for index in free])
        return grid

    @property
    def ranges(self) -> dict[SSAValue, RangeAttr]:
        return dict(zip(self.statement.body.block.args, self.statement.index_ranges, strict=True))

    def bind_at(self, free: Sequence[SSAValue], begins: Sequence[SSAValue]) -> None:
        """Bind free indices to tiles that begin at given elements."""
        builder, arguments, ranges = self.builder, self.statement.body.block.args, self.ranges
        starts = dict(zip(free, begins, strict=True))
        self.starts = list(begins)
        for index in free:
            item = ranges[index]
            extent, start, size = extent_key(item.extent), starts[index], self.plan.tiles[index]
            tiled = index in self.plan.dims
            position = builder.binary(arith.AddiOp, start, self.region.lane(index)) if tiled else start
            if isinstance(extent, int):
                limit = None if extent % size == 0 else builder.constant(extent)
            elif self.within is not None and not tiled:
                limit = None  # what it joined runs only where the index is within its extent
            else:
                per = None if item.per_position is None else arguments[item.per_position]
                limit = self.region.extent(extent, per)
                self.alive = builder.both(self.alive, builder.compare("lt", start, self.region.largest(limit)))
            mask = builder.compare("lt", position, limit) if tiled and limit is not None else None
            self.region.bind(index, position, mask)

    def _starts(
        self, free: Sequence[SSAValue], ranges: Mapping[SSAValue, RangeAttr], rest: SSAValue
    ) -> tuple[dict[SSAValue, SSAValue], list[GridAttr]]:
        """The first element of each free index in this program."""
        builder = self.builder
        grid = [GridAttr(extent_key(ranges[index].extent), self.plan.tiles[index]) for index in free]
        starts: dict[SSAValue, SSAValue] = {}
        for index, entry in reversed(list(zip(free, grid, strict=True))):
            size = entry.tile.data
            if index is free[0]:
                number = rest
            else:
                count = named(self.programs_of(entry), f"{index.name_hint}_programs")
                number = builder.add(arith.RemSIOp(rest, count))
                rest = builder.add(arith.DivSIOp(rest, count))
            starts[index] = builder.multiply(number, size)
            if size > 1:
                named(starts[index], f"{index.name_hint}_start")
        return starts, grid

    def programs_of(self, entry: GridAttr) -> SSAValue:
        """How many programs run along one index."""
        extent, size = entry.size, entry.tile.data
        if isinstance(extent, int):
            return self.builder.constant(-(-extent // size))
        longest = self.arguments.longest(extent)
        if size == 1:
            return longest
        return self.builder.add(arith.DivSIOp(self.builder.add_(longest, size - 1), self.builder.constant(size)))

    def store(self, buffer: Buffer, indices: Sequence[SSAValue], value: SSAValue, mask: Mask) -> None:
        """Store a tile of region values, rounded to the buffer's element, at tiles of indices."""
        bound = element_bound(buffer.type, self.arguments.dims)
        offset = flat_offset(self.builder, self.arguments, buffer.type.shape, indices, bound)
        stored = narrowed(self.builder, value, buffer.type.element)
        self.builder.store(self.arguments.pointer(buffer), offset, stored, mask)

    def finish(self, name: str, grid: Sequence[GridAttr], num_warps: int | None = None) -> None:
        """Wrap the body into a kernel and append it to the task's launches. num_warps: not the statement's own."""
        uses_fp8 = any(isinstance(op, tile.DecodeOp | tile.EncodeOp) for op in self.arguments.block.walk())
        order = len(self.task.launches)
        listed = self.arguments.in_order()
        kernel = tile.KernelOp(
            f"{self.task.name}_{order}_{name}" if name else f"{self.task.name}_{order}",
            self.task.name,
            order,
            listed,
            grid,
            BodyRegion(self.arguments.block),
            num_warps=num_warps or self.plan.num_warps,
            num_stages=self.plan.num_stages,
            constexprs=["NATIVE_FP8"] if uses_fp8 else [],
            dims=self.arguments.dim_names,
        )
        self.task.launches.append(copy_location(self.statement, kernel))


def lower_compute(task: Task, op: ComputeOp, result: Buffer, number: int) -> None:
    """One launch for one mp.compute: a tile of elements a program."""
    free = list(op.body.block.args)
    dependencies = Dependencies(op)
    plan = task.plan_of(op, free, dependencies, number)
    launch = Launch(task, op, plan, dependencies)
    grid = launch.bind_grid(free)

    def body() -> None:
        region = launch.region
        region.lower_block(op.body.block)
        value = region.values[op.yielded.value]
        launch.store(result, [region.values[index] for index in free], value, region.lanes(frozenset(free)))

    launch.builder.when(launch.alive, body)
    launch.finish(result.name, grid)
