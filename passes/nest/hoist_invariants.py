"""What does not change in a loop, in front of it."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass

from hetc.dialects import nest
from hetc.passes.nest.facts import Facts
from hetc.passes.nest.moving import (
    blocks_of,
    is_inside,
    is_taken,
    is_value,
    kernels_on,
    own_states,
    phases_of,
    touched_in,
    used_in,
    written_in,
)


@dataclass(frozen=True)
class HoistInvariantsPass(ModulePass):
    """Move in front of a loop what does not change in it: values, loads of what it does not store, and reductions with
    their states. Out of a loop that may have no pass only those reads move that the loops around it keep in range.

    Before: any verified nest.kernel on one of `devices`. After: what stands in a loop depends on its passes.

        nest.for %t { %n = mp.dim_size "N" ; %a = nest.acc ; nest.for %d { nest.fold %v into %a[] } ; ... }
            ->   %n = mp.dim_size "N" ; %a = nest.acc ; nest.for %d { nest.fold %v into %a[] } ; nest.for %t { ... }
    """

    name = "hoist-invariants"
    devices: tuple[str, ...] = ("cpu",)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in kernels_on(op, self.devices):
            hoist(kernel)


def hoist(kernel: nest.KernelOp) -> None:
    """The loops of one kernel, from the innermost out."""
    for phase in phases_of(kernel):
        _hoist_inside(phase)


def _hoist_inside(outer: Operation) -> None:
    for block in blocks_of(outer):
        for op in list(block.ops):
            if op.regions:
                _hoist_inside(op)
            if isinstance(op, nest.ForOp | nest.EntriesOp):
                _hoist_out_of(op)


def _hoist_out_of(loop: nest.ForOp | nest.EntriesOp) -> None:
    block = loop.parent
    assert block is not None
    facts = None if has_a_pass(loop) else Facts.around(loop)
    writers: dict[SSAValue, set[Operation]] = {}
    for op in loop.block.ops:
        for target in written_in(op):
            writers.setdefault(target, set()).add(op)
    for op in list(loop.block.ops):
        if is_value(op) or is_taken(op):
            moved, states = op, []
        else:
            found = own_states(op)
            if found is None:
                continue
            moved, states = op, found
        if _is_invariant(moved, states, loop, writers) and (facts is None or _may_be_carried_out(moved, facts)):
            for item in (*states, moved):
                item.detach()
                block.insert_op_before(item, loop)
            for found_writers in writers.values():
                found_writers.discard(op)


def has_a_pass(loop: nest.ForOp | nest.EntriesOp) -> bool:
    """Whether a loop is known to have one pass or more."""
    if isinstance(loop, nest.EntriesOp):
        return False
    return Facts().has_a_pass(loop)


def _may_be_carried_out(op: Operation, facts: Facts) -> bool:
    """Whether what an op reads is in range wherever these facts hold."""
    if isinstance(op, nest.ReadOp | nest.FindOp | nest.LoadOp):
        return facts.given(op.present).in_range(op.operands[0].type, op.indices)
    if isinstance(op, nest.EntriesOp):
        return False  # the row, too, is in range by what is not looked at here
    return all(_may_be_carried_out(inner, known) for block, known in facts.of_blocks(op) for inner in block.ops)


def _is_invariant(
    op: Operation, states: list[nest.AccOp], loop: Operation, writers: dict[SSAValue, set[Operation]]
) -> bool:
    own = {item.result for item in states}
    if any(is_inside(value, loop) and not is_inside(value, op) for value in used_in(op) - own):
        return False
    return all(writers.get(target, set()) <= {op} for target in touched_in(op) - own)
