"""Several passes of a loop at once, in one copy of the loops that it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass
from xdsl.traits import IsTerminator, is_side_effect_free

from hetc.dialects import nest
from hetc.passes.nest.building import Builder, dims_of, put_before
from hetc.passes.nest.moving import kernels_on
from hetc.passes.refusal import refuse


@dataclass(frozen=True)
class UnrollAndJamPass(ModulePass):
    """Carry out `by` passes of each loop whose index is named `loop` at once: what it holds stands there once for each
    of them, but the loops in it, which go through all of their passes together, and what is the same in all of them.
    So an operand that does not depend on the loop is read once for several passes. Passes that are left over go one by
    one, in a loop behind. Each pass computes what it did, in the same order. Raises LoweringRefused where passes meet,
    and where no loop in it has the same limits in all passes.

    Before: any verified nest.kernel on one of `devices`. After: a loop of that name there takes `by` steps at once.

        nest.for %g = 0 to 128 {                      nest.for %g = 0 to 128 step 4 { %g1 = %g + 1 ...
          nest.for %c = 0 to 576 {               ->     nest.for %c = 0 to 576 {
            fold read %q[%g, %c] * read %k[%c] } }        %k = read %k[%c]
                                                          fold read %q[%g, %c] * %k, fold read %q[%g1, %c] * %k ... } }
    """

    name = "unroll-and-jam"
    loop: str
    by: int
    devices: tuple[str, ...] = ("cpu",)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        dims = dims_of(op)
        for kernel in kernels_on(op, self.devices):
            named = [
                item for item in kernel.walk() if isinstance(item, nest.ForOp) and item.index.name_hint == self.loop
            ]
            for loop in named:
                reason = not_jammed(loop) if self.by > 1 else f"{self.by} passes at once"
                if reason is not None:
                    raise refuse(reason, loop, "device")
                jam(loop, self.by, Builder(dims, Block(), loop))


def varying(loop: nest.ForOp) -> set[SSAValue]:
    """The values in a loop that each pass has of its own."""
    found: set[SSAValue] = {loop.index}
    for op in nest.inner_ops(loop):
        if isinstance(op, nest.BufferOp | nest.AccOp) or found.intersection(op.operands):
            found.update(op.results)
            found.update(argument for region in op.regions for block in region.blocks for argument in block.args)
    return found


def not_jammed(loop: nest.ForOp) -> str | None:
    """Why passes of a loop cannot be carried out at once; None where they can. What passes share is touched by each of
    them in one place between the loops that it holds: there they come one after the other."""
    if loop.bind is not None:
        return f"a loop is unrolled before it is bound to {loop.bind.kind.data}"
    own = varying(loop)
    loops = [op for op in loop.block.ops if _is_joint(op, own)]
    if not loops:
        return "no loop in it has the same limits in all passes"
    places = [loop.block.get_operation_index(op) for op in loops]
    for target, accesses in nest.meeting_accesses(loop).items():
        runs = set()
        for access in accesses:
            held = loop.block.find_ancestor_op_in_block(access.op)
            assert held is not None
            runs.add(None if held in loops else sum(place < loop.block.get_operation_index(held) for place in places))
        if None in runs or len(runs) > 1:
            return f"{target.name_hint or 'a buffer'} is written by one pass and used by another"
    return None


def _is_joint(op: Operation, own: set[SSAValue]) -> bool:
    """Whether an op with regions runs them in all passes alike, so that there is one for all of them."""
    return isinstance(op, nest.ForOp | nest.EntriesOp | scf.IfOp) and not own.intersection(op.operands)


def jam(loop: nest.ForOp, by: int, builder: Builder) -> None:
    """One loop that may be; the loop for the passes that are left over stands behind it."""
    step = loop.step_size
    length = by * step
    lower, upper = loop.lower, loop.upper
    known = [nest.number_of(value) for value in (lower, upper)]
    whole = upper
    if None in known or (known[1] - known[0]) % length:  # type: ignore[operator]
        passes = builder.value(arith.SubiOp(upper, lower))
        blocks = builder.value(arith.FloorDivSIOp(passes, builder.index(length)))
        reached = builder.value(arith.AddiOp(lower, builder.value(arith.MuliOp(blocks, builder.index(length)))))
        whole = builder.value(arith.MaxSIOp(reached, lower))
    body = Block(arg_types=[loop.index.type])
    body.args[0].name_hint = loop.index.name_hint
    builder.add(nest.ForOp(lower, whole, -(-loop.most_passes // by), Region(body), length))
    put_before(builder, loop)
    maps: list[dict[SSAValue, SSAValue]] = [{loop.index: body.args[0]}]
    with builder.inside(body):
        for number in range(1, by):
            index = builder.value(arith.AddiOp(body.args[0], builder.index(number * step)))
            index.name_hint = f"{loop.index.name_hint or 'i'}_{number}"
            maps.append({loop.index: index})
    _Copies(varying(loop), set(nest.meeting_accesses(loop)), maps).block(loop.block, body)
    if whole is upper:
        loop.detach()
        loop.erase()
    else:
        loop.operands[0] = whole
        loop.properties["most"] = IntegerAttr(by - 1, i64)


@dataclass
class _Copies:
    """What several passes do, put together. own: the values that differ from pass to pass. met: the buffers and states
    in which a pass may find what another one left. maps: for each pass what stands for the values of the loop."""

    own: set[SSAValue]
    met: set[SSAValue]
    maps: Sequence[dict[SSAValue, SSAValue]]
    shared: dict[SSAValue, SSAValue] = field(default_factory=dict)

    def block(self, source: Block, target: Block) -> None:
        """The ops of a block, pass by pass between the loops that are one for all of them."""
        run: list[Operation] = []
        for op in source.ops:
            if op.regions and _is_joint(op, self.own):
                self._run(run, target)
                run = []
                self._joint(op, target)
            else:
                run.append(op)
        self._run(run, target)

    def _joint(self, op: Operation, target: Block) -> None:
        """One op for all passes, with what each of them does in its regions."""
        copy = self._shell(op)
        target.add_op(copy)
        for region, made in zip(op.regions, copy.regions, strict=True):
            for block, inner in zip(region.blocks, made.blocks, strict=True):
                self.block(block, inner)

    def _shell(self, op: Operation) -> Operation:
        """The op with empty blocks, whose arguments stand for those of the op's."""
        regions = []
        for region in op.regions:
            blocks = [Block(arg_types=[argument.type for argument in block.args]) for block in region.blocks]
            for block, made in zip(region.blocks, blocks, strict=True):
                for argument, new in zip(block.args, made.args, strict=True):
                    new.name_hint = argument.name_hint
                    self.shared[argument] = new
            regions.append(Region(blocks))
        operands = [self.shared.get(value, value) for value in op.operands]
        copy = op.create(
            operands=operands,
            result_types=[result.type for result in op.results],
            properties=dict(op.properties),
            attributes=dict(op.attributes),
            regions=regions,
        )
        copy.location = op.location
        return copy

    def _run(self, run: Sequence[Operation], target: Block) -> None:
        """Ops between loops, those of a pass behind those of the one before; what is the same in all of them once."""
        last = len(self.maps) - 1
        kinds = [(op, self._is_same(op)) for op in run]
        for number, values in enumerate(self.maps):
            known = {**self.shared, **values}
            for op, same in kinds:
                if same and number != (last if op.has_trait(IsTerminator) else 0):
                    continue
                copy = op.clone(value_mapper=known)
                target.add_op(copy)
                mapped = self.shared if same else values
                for result, made in zip(op.results, copy.results, strict=True):
                    mapped[result] = made

    def _is_same(self, op: Operation) -> bool:
        """Whether an op gives the same in all passes. The end of a region is no pass's own."""
        if op.regions or isinstance(op, nest.BufferOp | nest.AccOp):
            return False
        if not self.own.isdisjoint(op.operands) or not self.met.isdisjoint(op.operands):
            return False
        return is_side_effect_free(op) or isinstance(op, nest.LoadOp | nest.FinishOp | scf.YieldOp | nest.YieldOp)
