"""Which loops of a processor's kernels are lanes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, ModuleOp, i64
from xdsl.ir import Operation
from xdsl.passes import ModulePass

from hetc.dialects import nest
from hetc.dialects.mp import DimOp
from hetc.passes.nest.building import dims_of
from hetc.passes.nest.cost import Known, operations

LEAST_LANES = 4
MOST_LANES = 32
"""Twice what the widest registers hold: sums of half of them go on while the other half's wait."""
LEAST_GAIN = 1.2
"""How many times fewer operations are worth lanes: where it is next to nothing, a loop stays as it is."""


@dataclass(frozen=True)
class BindVectorPass(ModulePass):
    """Bind a loop on the way to each statement to `vector n`, where lanes take fewer operations than passes one by one:
    the one and the n (a power of two) with which the cost reader counts the fewest, at the largest that each dim can
    be. So a sum over the axis that lies innermost in memory goes along that axis, and one whose operands lie along a
    free index has a sum in each lane.

    The outermost of several loops is left to threads.

    Before: no loop of the kernels on one of `devices` is bound to `vector`. After: at most one on the way to each
    statement is, and has a form in lanes.

        nest.for %d = 0 to 128 { nest.read %x[%t, %d] ... nest.fold }   ->   nest.for %d ... bind <vector 16> { ... }
    """

    name = "bind-vector"
    devices: tuple[str, ...] = ("cpu",)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        dims = dims_of(op)
        for kernel in [item for item in op.body.block.ops if isinstance(item, nest.KernelOp)]:
            if kernel.device.data in self.devices:
                bind_lanes(kernel, dims)


def bind_lanes(kernel: nest.KernelOp, dims: Mapping[str, DimOp]) -> None:
    """The loops of one kernel."""
    extents = {name: dim.largest for name, dim in dims.items()}
    for op in kernel.block.ops:
        if isinstance(op, nest.PhaseOp):
            _Choice(extents).inside(op)


@dataclass
class _Choice:
    """orders: of each loop of lanes, how the dims of buffers lie for it. known: no op is moved or made here."""

    extents: Mapping[str, int]
    orders: dict[nest.ForOp, _Orders] = field(default_factory=dict)
    known: Known = field(default_factory=Known)

    def inside(self, op: Operation) -> None:
        """The best choice for everything in an op, and for the op where it is a loop."""
        for region in op.regions:
            for block in region.blocks:
                for inner in block.ops:
                    if inner.regions:
                        self.inside(inner)
        if isinstance(op, nest.ForOp) and op.bind is None and op.most_passes >= LEAST_LANES and not _is_for_threads(op):
            self._loop(op)

    def _loop(self, loop: nest.ForOp) -> None:
        """Lanes of this loop instead of those of loops in it, where that takes fewer operations."""
        inner = {op: op.bind for op in nest.inner_ops(loop) if isinstance(op, nest.ForOp) and op.is_bound(nest.VECTOR)}
        self._unbind(inner)
        counts = _counts(loop)
        self._bind(inner)
        if not counts:
            return
        least, chosen = operations(loop, self.extents, self.known), None
        self._unbind(inner)
        # Lanes that nothing is gained by are no lanes.
        needed = least if inner else least / LEAST_GAIN
        orders = _Orders.of(loop)
        _set_orders(orders.turned)
        for count in counts:
            loop.properties["bind"] = bind = nest.BindAttr(nest.VECTOR, count)
            taken = operations(loop, self.extents, self.known)
            if taken < needed:
                needed, chosen = taken, bind
        if chosen is not None:
            loop.properties["bind"] = chosen
            self.orders[loop] = orders
            return
        del loop.properties["bind"]
        _set_orders(orders.before)
        self._bind(inner)

    def _unbind(self, loops: Mapping[nest.ForOp, nest.BindAttr | None]) -> None:
        for loop in loops:
            del loop.properties["bind"]
            _set_orders(self._orders_of(loop).before)

    def _bind(self, loops: Mapping[nest.ForOp, nest.BindAttr | None]) -> None:
        for loop, bind in loops.items():
            assert bind is not None
            loop.properties["bind"] = bind
            _set_orders(self._orders_of(loop).turned)

    def _orders_of(self, loop: nest.ForOp) -> _Orders:
        """Those of a loop that became lanes here; what was bound before has none."""
        return self.orders.get(loop, _Orders({}, {}))


def _counts(loop: nest.ForOp) -> list[int]:
    """How many lanes a loop may be, none where it has no form in lanes. What as many lanes can do, fewer can."""
    if nest.not_in_lanes(loop, LEAST_LANES) is not None:
        return []
    loop.properties["bind"] = nest.BindAttr(nest.VECTOR, LEAST_LANES)
    problem = nest.dependence(loop)
    del loop.properties["bind"]
    if problem is not None:
        return []
    counts = [LEAST_LANES]
    while counts[-1] * 2 <= min(MOST_LANES, loop.most_passes):
        counts.append(counts[-1] * 2)
    while len(counts) > 1 and nest.not_in_lanes(loop, counts[-1]) is not None:
        counts.pop()
    return counts


Order = ArrayAttr[IntegerAttr] | None


@dataclass(frozen=True)
class _Orders:
    """The orders of the dims of buffers, as they were, and so that the elements of lanes lie beside each other."""

    before: Mapping[nest.BufferOp, Order]
    turned: Mapping[nest.BufferOp, Order]

    @classmethod
    def of(cls, loop: nest.ForOp) -> _Orders:
        """For lanes of one loop."""
        turned = _turned(loop)
        return cls({buffer: buffer.order for buffer in turned}, turned)


def _turned(loop: nest.ForOp) -> dict[nest.BufferOp, Order]:
    """The buffers in the cache of which each lane would load its own row, with the order of their dims in which the
    lanes' elements lie beside each other. One that is loaded in several places keeps its order."""
    found: dict[nest.BufferOp, Order] = {}
    for op in nest.inner_ops(loop):
        made = op.buffer.owner if isinstance(op, nest.LoadOp) else None
        if not isinstance(op, nest.LoadOp) or not isinstance(made, nest.BufferOp) or nest.is_inside(made, loop):
            continue
        own = [place for place, index in enumerate(op.indices) if index is loop.index]
        loads = [use for use in op.buffer.uses if isinstance(use.operation, nest.LoadOp)]
        type_ = op.buffer.type
        if len(own) == 1 and len(loads) == 1 and isinstance(type_, nest.BufferType) and type_.where == nest.LOCAL:
            others = [place for place in range(len(op.indices)) if place != own[0]]
            found[made] = ArrayAttr([IntegerAttr(place, i64) for place in [*others, own[0]]])
    return found


def _set_orders(orders: Mapping[nest.BufferOp, Order]) -> None:
    for buffer, order in orders.items():
        buffer.order = order


def _is_for_threads(loop: nest.ForOp) -> bool:
    """Whether a loop is the outermost of several."""
    inner = any(isinstance(op, nest.ForOp) for op in nest.inner_ops(loop))
    return inner and isinstance(loop.parent_op(), nest.PhaseOp)
