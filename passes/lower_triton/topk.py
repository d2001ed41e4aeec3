"""Top-k and bounded selection: deterministic, for any length.

One launch writes the scores' keys where they are dear to compute, the next takes each row's entries (see choosing),
for long rows in two steps (see chunks).
`order = score` adds one that counts for each entry the better ones: its place.
"""

from __future__ import annotations

from dataclasses import replace

from xdsl.dialects import arith
from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, i32, i64

from hetc.dialects import tile
from hetc.dialects.mp import SelectOp, TensorType, TopkOp, extent_key
from hetc.dialects.tile import GridAttr
from hetc.passes.lower_triton.arguments import Buffer
from hetc.passes.lower_triton.builder import named
from hetc.passes.lower_triton.choosing import Chooser, Selection, key_of
from hetc.passes.lower_triton.chunks import ChunkChooser, MergeChooser
from hetc.passes.lower_triton.keys import key_format
from hetc.passes.lower_triton.placing import place_by_score
from hetc.passes.lower_triton.statement import Launch, Task
from hetc.passes.schedule.gpu_dependencies import Dependencies
from hetc.passes.schedule.gpu_products import largest_extent
from hetc.passes.schedule.gpu_selection import chunk_of, keys_are_cheap
from hetc.passes.schedule.gpu_tiles import StatementPlan, power_of_two

_TILE = 2048


def lower_topk(task: Task, op: TopkOp, number: int) -> None:
    """The launches of an mp.topk."""
    format_ = key_format(op.yielded.value.type)
    indices, scores = task.buffers.get(op.indices), task.buffers.get(op.scores)
    if indices is None and scores is None:
        return
    selection = Selection(op, op.k.value.data, format_, indices, scores)
    selection = _with_keys(task, selection, number)
    if op.order.data != "score":
        _choose(task, selection)
        return
    extents = ArrayAttr([*(item.extent for item in op.index_ranges[:-1]), IntegerAttr(selection.count, i64)])
    unordered = task.new_scratch(TensorType(extents, i32), "unordered")
    keys = task.new_scratch(TensorType(extents, format_.element), "unordered_keys")
    _choose(task, replace(selection, indices=unordered, scores=None, chosen_keys=keys))
    place_by_score(task, op, selection.count, format_, unordered, keys, indices, scores)


def lower_select(task: Task, op: SelectOp, number: int) -> None:
    """The launches of an mp.select."""
    indices, overflow = task.buffers.get(op.indices), task.buffers.get(op.overflow)
    if indices is None and overflow is None:
        return
    format_ = key_format(op.yielded.value.type)
    selection = Selection(op, op.capacity.value.data, format_, indices, overflow=overflow)
    _choose(task, _with_keys(task, selection, number))


def _with_keys(task: Task, selection: Selection, number: int) -> Selection:
    """Write the keys in a launch of their own where they are dear."""
    op, format_ = selection.op, selection.format
    if keys_are_cheap(op):
        return selection
    keys = task.new_scratch(TensorType(ArrayAttr([r.extent for r in op.index_ranges]), format_.element), "keys")
    everything = list(op.body.block.args)
    dependencies = Dependencies(op)
    plan = task.plan_of(op, everything, dependencies, number)
    launch = Launch(task, op, plan, dependencies)
    grid = launch.bind_grid(everything)

    def body() -> None:
        launch.region.lower_block(op.body.block)
        key = key_of(launch, selection)
        indices = [launch.region.values[index] for index in everything]
        launch.store(keys, indices, key, launch.region.lanes(frozenset(everything)))

    launch.builder.when(launch.alive, body)
    launch.finish("keys", grid)
    return replace(selection, keys=keys)


def _choose(task: Task, selection: Selection) -> None:
    """The launches that take the entries."""
    op = selection.op
    assert isinstance(op, TopkOp | SelectOp)
    chunk = chunk_of(op)
    positions: Buffer | None = None
    if chunk is not None:
        positions, selection = _choose_in_chunks(task, selection, chunk)
    launch, size = _launch(task, selection)
    grid = launch.bind_grid(selection.free)
    if positions is None or chunk is None:
        chooser = Chooser(launch, selection, size)
    else:
        chooser = MergeChooser(launch, selection, size, positions, chunk)
    launch.builder.when(launch.alive, chooser.run)
    chosen = selection.indices or selection.scores or selection.overflow
    launch.finish(chosen.name if chosen is not None else "", grid)


def _choose_in_chunks(task: Task, selection: Selection, chunk: int) -> tuple[Buffer, Selection]:
    """A launch with a program for each chunk of each row. Returns where the positions of the chunks' best are, and
    the selection that remains to be made, from their keys."""
    extents = ArrayAttr([item.extent for item in selection.op.index_ranges])
    positions = task.new_scratch(TensorType(extents, i32), "best_positions")
    keys = task.new_scratch(TensorType(extents, selection.format.element), "best_keys")
    launch, size = _launch(task, selection)
    builder = launch.builder
    entry = GridAttr(extent_key(selection.op.index_ranges[-1].extent), chunk)
    program, chunks = builder.add(tile.ProgramIdOp()), launch.programs_of(entry)
    start = named(builder.multiply(builder.add(arith.RemSIOp(program, chunks)), chunk), "chunk_start")
    grid = launch.bind_rows(selection.free, builder.add(arith.DivSIOp(program, chunks)))
    inner = replace(selection, indices=positions, scores=None, chosen_keys=keys)
    chooser = ChunkChooser(launch, inner, size, start, chunk)

    def body() -> None:
        builder.when(builder.compare("lt", start, chooser.length()), chooser.run)

    builder.when(launch.alive, body)
    launch.finish("chunks", [*grid, entry])
    return positions, replace(selection, keys=keys)


def _launch(task: Task, selection: Selection) -> tuple[Launch, int]:
    """A launch whose tiles run along the row, and their size."""
    op, index = selection.op, selection.index
    size = max(min(_TILE, power_of_two(largest_extent(op, index))), 16)
    tiles = {**dict.fromkeys(selection.free, 1), index: size}
    plan = StatementPlan(tiles, {index: 0}, 1, num_warps=8 if size >= 1024 else 4)
    return Launch(task, op, plan, Dependencies(op)), size
