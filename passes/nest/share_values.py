"""Equal values of a kernel as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, IRNode, Operation, SSAValue
from xdsl.passes import ModulePass

from hetc.dialects import nest
from hetc.passes.nest.moving import (
    blocks_of,
    erase_unused,
    is_taken,
    is_value,
    kernels_on,
    own_states,
    phases_of,
    touched_in,
    written_in,
)

COMMUTATIVE = (arith.AndIOp, arith.OrIOp, arith.AddiOp, arith.MuliOp)


@dataclass(frozen=True)
class ShareValuesPass(ModulePass):
    """Compute once what is equal: values, loads with nothing stored in between, and reductions that stand in one block.
    What nothing uses is erased.

    Before: any verified nest.kernel on one of `devices`. After: no value is computed where an equal one is known.

        %a = nest.acc ; nest.for { nest.fold %v into %a[] } ; %x = nest.finish %a[]
        %b = nest.acc ; nest.for { nest.fold %v into %b[] } ; %y = nest.finish %b[]   ->   %y is %x
    """

    name = "share-values"
    devices: tuple[str, ...] = ("cpu",)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in kernels_on(op, self.devices):
            share(kernel)


def share(kernel: nest.KernelOp) -> None:
    """The values of one kernel."""
    for phase in phases_of(kernel):
        _Sharing().block(phase.block)
    erase_unused(kernel)


@dataclass
class _Sharing:
    """What is known in a block and around it. `versions`: how often each buffer and state may have been changed."""

    known: dict[Hashable, Operation] = field(default_factory=dict)
    versions: Counter[SSAValue] = field(default_factory=Counter)

    def block(self, block: Block) -> None:
        loops: list[tuple[Operation, list[nest.AccOp], Counter[SSAValue]]] = []
        for op in list(block.ops):
            if is_value(op) or is_taken(op):
                self._value(op)
                continue
            written = written_in(op)
            self.versions.update(written)
            for inner in blocks_of(op):
                _Sharing(dict(self.known), self.versions).block(inner)
            self.versions.update(written)
            states = own_states(op)
            if states is not None and not self._equal_loop(op, states, loops):
                loops.append((op, states, Counter(self.versions)))

    def _value(self, op: Operation) -> None:
        key = self._key(op)
        same = self.known.setdefault(key, op)
        if same is op:
            return
        for old, kept in zip(op.results, same.results, strict=True):
            kept.name_hint = kept.name_hint or old.name_hint
            old.replace_all_uses_with(kept)
        op.detach()
        op.erase()

    def _key(self, op: Operation) -> Hashable:
        operands = tuple(op.operands)
        if isinstance(op, COMMUTATIVE):
            operands = tuple(sorted(operands, key=id))
        version = self.versions[operands[0]] if is_taken(op) else 0
        types = tuple(result.type for result in op.results)
        properties = tuple(sorted(op.properties.items()))
        return op.name, operands, properties, types, version

    def _equal_loop(
        self,
        op: Operation,
        states: list[nest.AccOp],
        loops: list[tuple[Operation, list[nest.AccOp], Counter[SSAValue]]],
    ) -> bool:
        """Whether a loop before computes the same, whose states are then those of both."""
        for before, known, versions in loops:
            if [item.result.type for item in known] != [item.result.type for item in states]:
                continue
            others = touched_in(op) - {item.result for item in states}
            if any(self.versions[target] != versions[target] for target in others if not _is_within(target, op)):
                continue
            block = op.parent
            assert block is not None
            same: dict[IRNode | SSAValue, IRNode | SSAValue] = {block: block}
            same.update((first.result, second.result) for first, second in zip(known, states, strict=True))
            if before.is_structurally_equivalent(op, same):
                for first, second in zip(known, states, strict=True):
                    second.result.replace_all_uses_with(first.result)
                    second.detach()
                    second.erase()
                op.detach()
                op.erase()
                return True
        return False


def _is_within(target: SSAValue, op: Operation) -> bool:
    owner = target.owner
    return isinstance(owner, Operation) and nest.is_inside(owner, op)
