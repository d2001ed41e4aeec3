"""Each statement as loops over its free indices: one phase a statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from xdsl.dialects import arith
from xdsl.ir import Operation, SSAValue

from hetc.dialects import nest
from hetc.dialects.mp import ComputeOp, RangedOp, SelectOp, TopkOp
from hetc.passes.nest.regions import RegionLowering
from hetc.passes.refusal import refuse


@dataclass
class StatementLowering:
    """Lowers the statements of one kernel. `places`: the buffers that each value is stored to."""

    region: RegionLowering
    places: dict[SSAValue, list[SSAValue]]

    def lower(self, op: Operation) -> None:
        """A phase at the end of the builder's block."""
        builder = self.region.builder
        builder.source = op
        with builder.phase():
            match op:
                case ComputeOp():
                    self._compute(op)
                case TopkOp() | SelectOp():
                    self._select(op)
                case _:
                    raise refuse(f"{op.name} inside of a kernel", op, "device")

    def _compute(self, op: ComputeOp) -> None:
        with self._loops(op, range(len(op.ranges))):
            value, present = self.region.lower(op.body.block)
            if present is not None:
                raise refuse("a condition on the yield of mp.compute (run explicit-presence first)", op, "device")
            self._store(value, op.result, [self.region.value(argument) for argument in op.body.block.args])

    def _select(self, op: TopkOp | SelectOp) -> None:
        """The best pairs of each combination of the free indices, offered in the order of the last index."""
        builder, free = self.region.builder, range(len(op.ranges) - 1)
        capacity = op.k.value.data if isinstance(op, TopkOp) else op.capacity.value.data
        order = op.order.data if isinstance(op, TopkOp) else "index"
        with self._loops(op, free):
            type_ = nest.AccType([], nest.CombinerAttr("queue", op.yielded.value.type, capacity))
            queue = builder.value(nest.AccOp("best", type_))
            with self._loops(op, [len(op.ranges) - 1]):
                score, present = self.region.lower(op.body.block)
                index = self.region.value(op.body.block.args[-1])
                builder.add(nest.FoldOp([score, index], queue, [], present))
            outer = [self.region.value(op.body.block.args[position]) for position in free]
            if isinstance(op, SelectOp):
                self._overflow(op, queue, capacity, outer)
            # Where any order will do it is still one: what is summed over the picks has the same bits every time.
            builder.add(nest.ArrangeOp(queue, [], "score" if order == "any" else order))
            with builder.counted("j", builder.index(capacity), capacity) as place:
                entry = nest.EntryOp(queue, [], place)
                builder.add(entry)
                self._store(entry.index, op.indices, [*outer, place])
                if isinstance(op, TopkOp):
                    self._store(entry.score, op.scores, [*outer, place])

    def _overflow(self, op: SelectOp, queue: SSAValue, capacity: int, outer: Sequence[SSAValue]) -> None:
        """How many qualified beyond the capacity."""
        builder = self.region.builder
        beyond = builder.value(arith.SubiOp(builder.value(nest.OfferedOp(queue)), builder.index(capacity)))
        self._store(builder.value(arith.MaxSIOp(beyond, builder.index(0))), op.overflow, outer)

    def _store(self, value: SSAValue, result: SSAValue, indices: Sequence[SSAValue]) -> None:
        for buffer in self.places.get(result, ()):
            self.region.builder.add(nest.StoreOp(value, buffer, indices))

    @contextmanager
    def _loops(self, op: RangedOp, positions: Sequence[int]) -> Iterator[None]:
        """A loop for each range at `positions`; an index that another one's dim is per comes first."""
        builder = self.region.builder
        with ExitStack() as stack:
            for position in loop_order(op, positions):
                item, argument = op.index_ranges[position], op.body.block.args[position]
                per = item.per_position
                row = None if per is None else self.region.value(op.body.block.args[per])
                loop = builder.loop(item.index.data, item.extent, row)
                builder.values[argument] = stack.enter_context(loop)
            yield


def loop_order(op: RangedOp, positions: Sequence[int]) -> list[int]:
    """`positions` with every index after the one that its dim is per. Raises LoweringRefused where there is no such
    order."""
    ordered: list[int] = []
    waiting = list(positions)
    while waiting:
        pers = {position: op.index_ranges[position].per_position for position in waiting}
        ready = [position for position, per in pers.items() if per is None or per not in waiting]
        if not ready:
            raise refuse("lengths that depend on each other", op, "device")
        ordered.append(ready[0])
        waiting.remove(ready[0])
    return ordered
