"""Loops of lanes as what lanes do: whole steps, a rest, and states that are joined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from hetc.dialects import nest
from hetc.dialects.mp import DimSizeOp
from hetc.passes.nest.building import Builder, dims_of, put_before
from hetc.passes.refusal import refuse


@dataclass(frozen=True)
class ExpandLanesPass(ModulePass):
    """Make of each loop that is bound `vector n` the steps that n lanes take together. What it folds into a state from
    around it goes into a state for each lane: lane l folds the passes whose number is l modulo n, in their order, and
    the lanes are joined as a tree of fixed shape. The passes that are left over go one by one, into the states of their
    lanes. Raises LoweringRefused where a body has no form in lanes.

    Before: any verified nest.kernel on one of `devices`. After: a loop there that is bound `vector n` is one step, from
    0 to n.

        nest.for %d = 0 to %D bind <vector 16> {         %l16 = nest.acc : <[16] of sum<f32>>
          nest.fold %v into %s[] }                   ->  nest.for %d0 = 0 to %D / 16 * 16 step 16 {
                                                           nest.for %l = 0 to 16 bind <vector 16> { ... %l16[%l] } }
                                                         nest.for %d = %D / 16 * 16 to %D { ... %l16[..] }
                                                         nest.join %l16[] into %s[]
    """

    name = "expand-lanes"
    devices: tuple[str, ...] = ("cpu",)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        dims = dims_of(op)
        for kernel in [item for item in op.body.block.ops if isinstance(item, nest.KernelOp)]:
            if kernel.device.data in self.devices:
                for loop in [item for item in nest.ops_in(kernel) if isinstance(item, nest.ForOp)]:
                    if loop.is_bound(nest.VECTOR) and (not nest.is_lockstep(loop) or _folded(loop)):
                        _Lanes(loop, Builder(dims, Block(), loop)).expand()


def _folded(loop: nest.ForOp) -> dict[SSAValue, list[nest.FoldOp]]:
    """The folds of a loop into states from around it, by the states. A queue is one for all lanes."""
    found: dict[SSAValue, list[nest.FoldOp]] = {}
    for op in nest.ops_in(loop):
        if isinstance(op, nest.FoldOp) and not nest.is_queue(op.states):
            owner = op.states.owner
            if isinstance(owner, Block) or not nest.is_inside(owner, loop):
                found.setdefault(op.states, []).append(op)
    return found


@dataclass
class _Lanes:
    """One loop on its way. `states`: for each state from around it those of the lanes, and whether they are of one
    element of it alone."""

    loop: nest.ForOp
    builder: Builder
    states: dict[SSAValue, tuple[SSAValue, bool]] = field(default_factory=dict)

    @property
    def width(self) -> int:
        return self.loop.lane_count

    def expand(self) -> None:
        """Put what the lanes do in the loop's place."""
        loop, builder = self.loop, self.builder
        reason = nest.not_in_lanes(loop)
        if reason is not None:
            raise refuse(reason, loop, "processor")
        folds = _folded(loop)
        for states, found in folds.items():
            self._declare(states, found)
        self._steps()
        for states, found in folds.items():
            self._join(states, found[0])
        put_before(builder, loop)
        loop.detach()
        loop.erase()

    def _declare(self, states: SSAValue, found: list[nest.FoldOp]) -> None:
        """States for the lanes: of the one element that is folded into where that is known before the loop."""
        type_ = states.type
        assert isinstance(type_, nest.AccType)
        places = {tuple(op.indices) for op in found}
        single = len(places) == 1 and not any(self._is_inside(index) for index in places.pop())
        extents = [IntegerAttr(self.width, i64)] if single else [*type_.extents, IntegerAttr(self.width, i64)]
        made = nest.AccType(extents, type_.combiner, nest.REGISTER)  # type: ignore[arg-type]
        name = f"{states.name_hint or type_.combiner.kind.data}_lanes"
        self.states[states] = (self.builder.value(nest.AccOp(name, made)), single)

    def _is_inside(self, value: SSAValue) -> bool:
        owner = value.owner.parent_op() if isinstance(value.owner, Block) else value.owner
        return owner is self.loop or (owner is not None and nest.is_inside(owner, self.loop))

    def _steps(self) -> None:
        """Whole steps, and what is left."""
        loop, builder, width = self.loop, self.builder, self.width
        lower, upper = nest.number_of(loop.lower), nest.number_of(loop.upper)
        known = None if lower is None or upper is None else max(upper - lower, 0)
        whole = self._whole(lower) if known is None or lower is None else builder.index(lower + known // width * width)
        if known is not None and known < 2 * width:
            if known >= width:
                self._lanes(loop.lower)
        elif loop.most_passes >= width:
            body = Block(arg_types=[loop.index.type])
            body.args[0].name_hint = f"{loop.index.name_hint or 'i'}0"
            builder.add(nest.ForOp(loop.lower, whole, loop.most_passes // width, Region(body), width))
            with builder.inside(body):
                self._lanes(body.args[0])
        if known is None or known % width:
            most_left = min(width - 1, loop.most_passes)
            with builder.counted(loop.index.name_hint or "i", loop.upper, most_left, whole) as index:
                self._pass(index, lambda: builder.value(arith.SubiOp(index, whole)))

    def _whole(self, lower: int | None) -> SSAValue:
        """Where whole steps end, in a loop whose limits are known only when the kernel runs."""
        loop, builder, width = self.loop, self.builder, self.width
        length = loop.upper if lower == 0 else builder.value(arith.SubiOp(loop.upper, loop.lower))
        if not (lower == 0 and isinstance(loop.upper.owner, DimSizeOp)):
            length = builder.value(arith.MaxSIOp(length, builder.index(0)))
        steps = builder.value(arith.FloorDivSIOp(length, builder.index(width)))
        passed = builder.value(arith.MuliOp(steps, builder.index(width)))
        return passed if lower == 0 else builder.value(arith.AddiOp(loop.lower, passed))

    def _lanes(self, first: SSAValue) -> None:
        """One step of all lanes."""
        loop, builder = self.loop, self.builder
        with builder.lanes(self.width) as lane:
            index = lane if nest.number_of(first) == 0 else builder.value(arith.AddiOp(first, lane))
            index.name_hint = loop.index.name_hint if index is not lane else lane.name_hint
            self._pass(index, lambda: lane)

    def _pass(self, index: SSAValue, lane: Callable[[], SSAValue]) -> None:
        """The pass of an index, by the lane that `lane` gives where one is needed."""
        builder = self.builder
        number = lane() if self.states else None
        values: dict[SSAValue, SSAValue] = {self.loop.index: index}
        for op in self.loop.block.ops:
            copy = op.clone(value_mapper=values)
            builder.block.add_op(copy)
            for inside in list(nest.ops_in(copy)):
                if number is not None:
                    self._into_lane(inside, number)

    def _into_lane(self, op: Operation, lane: SSAValue) -> None:
        """A fold into a state from around the loop becomes one into the lane's."""
        if isinstance(op, nest.FoldOp) and op.states in self.states:
            states, single = self.states[op.states]
            indices = [lane] if single else [*op.indices, lane]
            made = nest.FoldOp(list(op.values), states, indices, op.present, None, op.unit.data if op.unit else None)
            made.location = op.location
            block = op.parent
            assert block is not None
            block.insert_op_before(made, op)
            op.detach()
            op.erase()

    def _join(self, states: SSAValue, fold: nest.FoldOp) -> None:
        """The lanes' states in those from around the loop."""
        lanes, single = self.states[states]
        if single:
            self.builder.add(nest.JoinOp(lanes, [], states, list(fold.indices)))
            return
        type_ = states.type
        assert isinstance(type_, nest.AccType)
        _join_each(self.builder, lanes, states, type_, [])


def _join_each(
    builder: Builder, lanes: SSAValue, states: SSAValue, type: nest.AccType, indices: list[SSAValue]
) -> None:
    """Loops over the extents of the states."""
    if len(indices) == len(type.shape):
        builder.add(nest.JoinOp(lanes, indices, states, indices))
        return
    with builder.loop(f"i{len(indices)}", type.extents.data[len(indices)]) as index:
        _join_each(builder, lanes, states, type, [*indices, index])
