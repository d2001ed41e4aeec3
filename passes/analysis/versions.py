"""Which mp.scatter ops may write in their memory's buffer: those after which nobody reads what it held before."""

from __future__ import annotations

from collections.abc import Iterator

from xdsl.ir import SSAValue

from hetc.dialects.mp import WRITES_IN_PLACE, AppendOp, ForOp, ScatterOp, StepOp, in_order, loop_of
from hetc.dialects.task import KernelOp, TransferOp
from hetc.passes.partition.outline import statement_around


class Versions:
    """The versions of a step's tensors that share a buffer, in the order of the step's ops."""

    def __init__(self, step: StepOp) -> None:
        self._position = {op: number for number, op in enumerate(in_order(step.body.block))}
        self._in_place: dict[ScatterOp, bool] = {}

    def in_place(self, op: ScatterOp) -> bool:
        """Whether nothing after `op` reads an earlier version of its memory, or a copy of one."""
        if op not in self._in_place:
            readers = (statement_around(use.operation) for value in _earlier(op.memory) for use in value.uses)
            self._in_place[op] = not any(self._position[reader] > self._position[op] for reader in readers)
        return self._in_place[op]

    def written_in_place(self, value: SSAValue, argument: SSAValue) -> bool:
        """Whether `value` lies in the buffer of `argument`, a loop's layer, with something written in it, perhaps in
        loops over its layers."""
        while value is not argument:
            owner = value.owner
            if isinstance(owner, ForOp) and value in owner.written_outputs:
                number = list(owner.written_outputs).index(value)
                position = owner.written_positions[number]
                if not self.written_in_place(owner.next.layers[number], owner.layer_arguments[position]):
                    return False
                value = owner.sliced[position]
            elif isinstance(owner, AppendOp) or (isinstance(owner, ScatterOp) and self.in_place(owner)):
                value = owner.memory
            else:
                return False
        return True

    def made_in_layer(self, loop: ForOp, number: int) -> bool:
        """Whether what a pass gives as the new contents of a layer is made where the new layer lies: a kernel or a loop
        of the pass makes it, for no other layer before."""
        value = loop.next.layers[number]
        owner = value.owner
        if value in loop.next.layers[:number] or owner.parent is not loop.body.block:  # type: ignore[union-attr]
            return False
        return isinstance(owner, KernelOp) or (isinstance(owner, ForOp) and value in owner.written_outputs)


def _earlier(value: SSAValue) -> Iterator[SSAValue]:
    """`value` and what lay in its buffer before, with the copies that were made for other devices."""
    while True:
        yield value
        yield from (use.operation.results[0] for use in value.uses if isinstance(use.operation, TransferOp))
        loop = loop_of(value)
        if isinstance(value.owner, WRITES_IN_PLACE):
            value = value.owner.memory
        elif loop is not None and value in loop.layer_arguments:
            value = loop.arguments[value]
        elif isinstance(value.owner, ForOp) and value in value.owner.written_outputs:
            owner = value.owner
            value = owner.sliced[owner.written_positions[list(owner.written_outputs).index(value)]]
        else:
            return
