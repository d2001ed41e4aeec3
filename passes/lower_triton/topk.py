"""Top-k and bounded selection: deterministic, for any length.

One launch writes the scores' keys where they are dear to compute, the next takes each row's entries (see choosing).
`order = score` adds one that counts for each entry the better ones: its place.
"""

from __future__ import annotations

from dataclasses import replace

from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, i32, i64

from hetc.dialects.mp import SelectOp, TensorType, TopkOp, extent_key
from hetc.passes.lower_triton.choosing import Chooser, Selection, key_of
from hetc.passes.lower_triton.keys import key_format
from hetc.passes.lower_triton.placing import place_by_score
from hetc.passes.lower_triton.statement import Launch, Task
from hetc.passes.schedule.gpu_dependencies import Dependencies
from hetc.passes.schedule.gpu_tiles import StatementPlan, keys_are_cheap, plan_statement, power_of_two

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
    plan = plan_statement(op, everything, dependencies, task.tiles_of(number))
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
    """The launch that takes the entries: one program for each row."""
    op, index = selection.op, selection.index
    extent = extent_key(op.index_ranges[-1].extent)
    size = max(_TILE if isinstance(extent, str) else min(_TILE, power_of_two(extent)), 16)
    tiles = {**dict.fromkeys(selection.free, 1), index: size}
    plan = StatementPlan(tiles, {index: 0}, 1, num_warps=8 if size >= 1024 else 4)
    launch = Launch(task, op, plan, Dependencies(op))
    grid = launch.bind_grid(selection.free)
    launch.builder.when(launch.alive, Chooser(launch, selection, size).run)
    chosen = selection.indices or selection.scores or selection.overflow
    launch.finish(chosen.name if chosen is not None else "", grid)
