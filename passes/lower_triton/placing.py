"""The launch that orders chosen entries by score: each goes to the place that is the number of better ones."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import arith
from xdsl.dialects.builtin import i32
from xdsl.ir import SSAValue

from hetc.dialects import tile
from hetc.dialects.mp import RangedOp
from hetc.dialects.tile import GridAttr
from hetc.passes.lower_triton.arguments import Buffer, element_bound, flat_offset
from hetc.passes.lower_triton.builder import named
from hetc.passes.lower_triton.keys import KeyFormat
from hetc.passes.lower_triton.statement import Launch, Task
from hetc.passes.schedule.gpu_dependencies import Dependencies
from hetc.passes.schedule.gpu_tiles import StatementPlan, power_of_two

_ENTRIES, _OTHERS = 64, 64


def place_by_score(
    task: Task,
    op: RangedOp,
    count: int,
    format: KeyFormat,
    unordered: Buffer,
    keys: Buffer,
    indices: Buffer | None,
    scores: Buffer | None,
) -> None:
    """`unordered` and `keys` hold `count` entries a row, those taken first and in index order, then absent ones;
    `indices` and `scores` receive them by descending score, ties by lower index."""
    free = list(op.body.block.args[:-1])
    entries = min(_ENTRIES, max(power_of_two(count), 2))
    others = min(_OTHERS, max(power_of_two(count), 2))
    plan = StatementPlan(dict.fromkeys(free, 1), {}, 2)
    launch = Launch(task, op, plan, Dependencies(op))
    builder = launch.builder
    program = builder.add(tile.ProgramIdOp())
    blocks = builder.constant(-(-count // entries))
    block = builder.add(arith.RemSIOp(program, blocks))
    grid = launch.bind_rows(free, builder.add(arith.DivSIOp(program, blocks)))
    rows = [launch.region.values[index] for index in free]

    def load(buffer: Buffer, place: SSAValue, mask: SSAValue) -> SSAValue:
        bound = element_bound(buffer.type, launch.arguments.dims)
        offset = flat_offset(builder, launch.arguments, buffer.type.shape, [*rows, place], bound)
        return builder.load(launch.arguments.pointer(buffer), offset, mask)

    def body() -> None:
        start = builder.multiply(block, entries)
        mine = builder.binary(arith.AddiOp, start, builder.add(tile.RangeOp((entries, 1), 0)))
        inside = builder.compare("lt", mine, count)
        key, index = load(keys, mine, inside), load(unordered, mine, inside)

        def compare(start: SSAValue, kept: list[SSAValue]) -> Sequence[SSAValue]:
            theirs = builder.binary(arith.AddiOp, start, builder.add(tile.RangeOp((1, others), 1)))
            there = builder.compare("lt", theirs, count)
            other = builder.where(there, load(keys, theirs, there), format.absent)
            earlier = builder.both(builder.compare("eq", other, key), builder.compare("lt", theirs, mine))
            assert earlier is not None
            better = builder.binary(arith.OrIOp, builder.compare("gt", other, key), earlier)
            counted = builder.both(better, there)
            assert counted is not None
            found = builder.add(tile.ReduceOp("sum", builder.cast(counted, i32), 1))
            return [builder.binary(arith.AddiOp, kept[0], found)]

        zeros = named(builder.broadcast(builder.constant(0), (entries, 1)), "place")
        (place,) = builder.loop(builder.constant(count), others, [zeros], compare, "start")
        if indices is not None:
            launch.store(indices, [*rows, place], index, inside)
        if scores is not None:
            taken = builder.compare("ge", index, 0)
            lowest = float("-inf") if format.element == i32 else -(2**31)
            launch.store(scores, [*rows, place], builder.where(taken, format.score(builder, key), lowest), inside)

    builder.when(launch.alive, body)
    chosen = indices or scores
    assert chosen is not None
    launch.finish(f"{chosen.name}_by_score", [*grid, GridAttr(count, entries)])
