"""States of combiners as the numbers that they are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import ArrayAttr, IndexType, IntegerAttr, ModuleOp, i64
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from hetc.dialects import nest
from hetc.dialects.mp import DimOp, WideIndexType
from hetc.passes.nest.building import Builder, dims_of, put_before

# A value that is asked for inside of the loop over a size, by the loop's index.
Inner = Callable[[Builder, SSAValue], SSAValue]


@dataclass(frozen=True)
class ExpandCombinersPass(ModulePass):
    """Replace states by buffers of their fields, and folds, merges and finishes by what their combiner's builder makes.
    Queues stay: a device keeps them itself. A `vector` loop that folds into a state from around it loses its bind: what
    was a fold is then a load and a store of one element, which lanes may not share.

    Before: any verified nest.kernel on one of `devices`. After: no nest.acc there but queues.

        %s = nest.acc "s" : sum<f32>              %s = nest.buffer "s" : f32 ; nest.store 0.0 in %s
        nest.fold %v into %s[] if %p        ->    scf.if %p { %a = nest.load %s ; nest.store (%a + %v) in %s }
        %r = nest.finish %s[]                     %r = nest.load %s
    """

    name = "expand-combiners"
    devices: tuple[str, ...] = ("cpu",)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        dims = dims_of(op)
        for kernel in [item for item in op.body.block.ops if isinstance(item, nest.KernelOp)]:
            if kernel.device.data in self.devices:
                _Expansion(dims).expand(kernel)


@dataclass
class _Expansion:
    """The states of one kernel. `buffers`: the fields of each, in the order of its combiner's state."""

    dims: Mapping[str, DimOp]
    buffers: dict[SSAValue, list[SSAValue]] = field(default_factory=dict)

    def expand(self, kernel: nest.KernelOp) -> None:
        declared = [op for op in nest.ops_in(kernel) if isinstance(op, nest.AccOp) and not nest.is_queue(op.result)]
        for states in declared:
            builder = self._builder(states)
            self._declare(builder, states)
            put_before(builder, states)
        for op in list(nest.ops_in(kernel)):
            if isinstance(op, nest.FoldOp | nest.MergeOp | nest.JoinOp | nest.FinishOp) and op.states in self.buffers:
                self._replace(op)
        for states in declared:
            states.detach()
            states.erase()
        for op in nest.ops_in(kernel):
            if isinstance(op, nest.ForOp) and op.is_bound(nest.VECTOR) and nest.dependence(op) is not None:
                del op.properties["bind"]

    def _builder(self, source: Operation) -> Builder:
        return Builder(self.dims, Block(), source)

    def _replace(self, op: nest.FoldOp | nest.MergeOp | nest.JoinOp | nest.FinishOp) -> None:
        builder = self._builder(op)
        match op:
            case nest.FoldOp():
                self._fold(builder, op)
            case nest.MergeOp():
                self._merge(builder, op)
            case nest.JoinOp():
                self._join(builder, op)
            case nest.FinishOp():
                self._finish(builder, op)
        put_before(builder, op)
        op.detach()
        op.erase()

    def _declare(self, builder: Builder, op: nest.AccOp) -> None:
        """Buffers for the fields, and the identity in each."""
        type_, name, fields = _type_of(op.result), op.sym_name.data, _combiner(op.result).state
        made = []
        for item in fields:
            extents = [*type_.extents, *([] if item.size is None else [IntegerAttr(item.size, i64)])]
            element: Attribute = WideIndexType() if item.type == IndexType() else item.type
            buffer = nest.BufferType(ArrayAttr(extents), element, type_.where)
            own = name if len(fields) == 1 else f"{name}_{item.name}"
            made.append(builder.value(nest.BufferOp(own, buffer)))
        self.buffers[op.result] = made

        def start(indices: Sequence[SSAValue]) -> None:
            self._update(builder, op.result, indices, lambda build, state: _combiner(op.result).start(build))

        # States that outlive phases get their identity in one: only phases run anything.
        with builder.phase() if type_.where == nest.GLOBAL else nullcontext():
            are_lanes = any(isinstance(use.operation, nest.JoinOp) and use.index == 0 for use in op.result.uses)
            _at_each(builder, list(type_.extents), [], start, are_lanes)

    def _fold(self, builder: Builder, op: nest.FoldOp) -> None:
        """One step, where the condition holds. Lanes take no branches: one whose condition is false keeps its state."""
        present = op.present
        kept = present if present is not None and _is_own(present, op) else None
        with builder.only_if(present if kept is None else None):
            combiner, inner = _combiner(op.states), [] if op.weights is None else [_weight(op.weights)]

            def step(build: nest.Build, state: Sequence[SSAValue]) -> list[SSAValue]:
                own, given = state[: len(combiner.state)], state[len(combiner.state) :]
                made = combiner.step(build, own, [*op.values, *given])
                if kept is None:
                    return made
                return [build.select(kept, new, old) for new, old in zip(made, own, strict=True)]

            self._update(builder, op.states, op.indices, step, inner)

    def _merge(self, builder: Builder, op: nest.MergeOp) -> None:
        combiner = _combiner(op.states)
        fields, buffers = combiner.state, self.buffers[op.part]
        other = [
            None if item.size is not None else builder.value(nest.LoadOp(buffer, op.part_indices))
            for item, buffer in zip(fields, buffers, strict=True)
        ]
        sized = [buffer for item, buffer in zip(fields, buffers, strict=True) if item.size is not None]

        def load(buffer: SSAValue) -> Inner:
            return lambda inside, place: inside.value(nest.LoadOp(buffer, [*op.part_indices, place]))

        def merge(build: nest.Build, state: Sequence[SSAValue]) -> list[SSAValue]:
            own, given = state[: len(fields)], iter(state[len(fields) :])
            return combiner.merge(build, own, [next(given) if value is None else value for value in other])

        self._update(builder, op.states, op.indices, merge, [load(buffer) for buffer in sized])

    def _join(self, builder: Builder, op: nest.JoinOp) -> None:
        """The lower half of the lanes with the upper one, until two are left."""
        combiner, parts, outer, count = _combiner(op.states), self.buffers[op.part], list(op.part_indices), op.count

        def pair(first: SSAValue, second: SSAValue) -> list[SSAValue]:
            ends = [[builder.value(nest.LoadOp(part, [*outer, lane])) for part in parts] for lane in (first, second)]
            build = nest.Build()
            joined = combiner.merge(build, *ends)
            for made in build.ops:
                builder.add(made)
            return joined

        name = op.part.name_hint or "lanes"
        while count > 2:
            count //= 2
            types = [nest.BufferType([count], _element(part), nest.REGISTER) for part in parts]
            halves = [builder.value(nest.BufferOp(f"{name}{count}", type_)) for type_ in types]
            with builder.lanes(count) as lane:
                joined = pair(lane, builder.value(arith.AddiOp(lane, builder.index(count))))
                for value, half in zip(joined, halves, strict=True):
                    builder.add(nest.StoreOp(value, half, [lane]))
            parts, outer = halves, []
        whole = pair(builder.index(0), builder.index(1))
        self._update(builder, op.states, op.indices, lambda build, state: combiner.merge(build, state, whole))

    def _finish(self, builder: Builder, op: nest.FinishOp) -> None:
        combiner = _combiner(op.states)
        state = [
            builder.value(nest.LoadOp(buffer, [*op.indices, *([] if item.size is None else [_place(op)])]))
            for item, buffer in zip(combiner.state, self.buffers[op.states], strict=True)
        ]
        build = nest.Build()
        found = combiner.finish(build, state)
        for made in build.ops:
            builder.add(made)
        for old, new in zip(op.results, found, strict=True):
            new.name_hint = new.name_hint or old.name_hint
            old.replace_all_uses_with(new)

    def _update(
        self,
        builder: Builder,
        states: SSAValue,
        indices: Sequence[SSAValue],
        make: Callable[[nest.Build, Sequence[SSAValue]], list[SSAValue]],
        inner: Sequence[Inner] = (),
    ) -> None:
        """Store what `make` gives for a state, and for the values of `inner`, which only the loop over the size of
        sized fields knows. What does not depend on the place in a sized field is worked out once."""
        combiner, buffers = _combiner(states), self.buffers[states]
        sized = [item.size is not None for item in combiner.state]
        waiting = Block(arg_types=[item.type for item in combiner.state if item.size is not None])
        for _ in inner:
            waiting.insert_arg(combiner.takes[-1], len(waiting.args))
        places = iter(waiting.args)
        loads = [
            None if is_sized else nest.LoadOp(buffer, indices) for is_sized, buffer in zip(sized, buffers, strict=True)
        ]
        state = [next(places) if load is None else load.result for load in loads]
        build = nest.Build()
        made = make(build, [*state, *places])
        for load in loads:
            if load is not None and load.result.first_use is not None:
                builder.add(load)
        inside = _depending(build.ops, waiting)
        for op in build.ops:
            if op not in inside:
                builder.add(op)
        if any(sized):
            size = next(item.size for item in combiner.state if item.size is not None)
            own = [buffer for is_sized, buffer in zip(sized, buffers, strict=True) if is_sized]
            with builder.counted("v", builder.index(size), size) as place:
                given = [builder.value(nest.LoadOp(buffer, [*indices, place])) for buffer in own]
                given += [item(builder, place) for item in inner]
                for waiter, value in zip(waiting.args, given, strict=True):
                    waiter.replace_all_uses_with(value)
                for op in inside:
                    builder.add(op)
                for is_sized, value, buffer in zip(sized, made, buffers, strict=True):
                    if is_sized:
                        builder.add(nest.StoreOp(value, buffer, [*indices, place]))
        for is_sized, value, buffer in zip(sized, made, buffers, strict=True):
            if not is_sized:
                builder.add(nest.StoreOp(value, buffer, indices))


def _type_of(states: SSAValue) -> nest.AccType:
    type_ = states.type
    assert isinstance(type_, nest.AccType)
    return type_


def _element(buffer: SSAValue) -> Attribute:
    type_ = buffer.type
    assert isinstance(type_, nest.BufferType)
    return type_.element


def _combiner(states: SSAValue) -> nest.Built:
    combiner = nest.combiner_of(_type_of(states).combiner)
    assert isinstance(combiner, nest.Built)
    return combiner


def _place(op: nest.FinishOp) -> SSAValue:
    assert op.place is not None
    return op.place


def _weight(region: Region) -> Inner:
    """What a fold's region over a size gives, at a place of it."""

    def inline(builder: Builder, place: SSAValue) -> SSAValue:
        block = region.block
        last = block.last_op
        assert isinstance(last, nest.YieldOp)
        block.args[0].replace_all_uses_with(place)
        value = last.values[0]
        for op in list(block.ops):
            op.detach()
            if op is not last:
                builder.add(op)
        last.erase()
        return value

    return inline


def _depending(ops: Sequence[Operation], block: Block) -> list[Operation]:
    """The ops that use an argument of the block, directly or not, in order."""
    reached: set[SSAValue] = set(block.args)
    found = []
    for op in ops:
        if reached.intersection(op.operands):
            reached.update(op.results)
            found.append(op)
    return found


def _at_each(
    builder: Builder,
    extents: Sequence[Attribute],
    indices: list[SSAValue],
    body: Callable[[Sequence[SSAValue]], None],
    are_lanes: bool = False,
) -> None:
    """Loops over the extents. One that is per another dim follows that dim's index; the last may be of lanes."""
    if len(indices) == len(extents):
        body(indices)
        return
    extent = extents[len(indices)]
    if are_lanes and len(indices) == len(extents) - 1:
        with builder.lanes(builder.most(extent)) as lane:
            _at_each(builder, extents, [*indices, lane], body)
        return
    with builder.loop(f"i{len(indices)}", extent, builder.row_of(extent, extents, indices)) as index:
        _at_each(builder, extents, [*indices, index], body, are_lanes)


def _is_own(condition: SSAValue, op: Operation) -> bool:
    """Whether an op stands in a loop of lanes of which each has a condition of its own."""
    outer = op.parent_op()
    while outer is not None and not (isinstance(outer, nest.ForOp) and outer.is_bound(nest.VECTOR)):
        outer = outer.parent_op()
    return isinstance(outer, nest.ForOp) and condition in nest.own_values(outer)
