"""Which tensors of a step lie layer by layer, each in a buffer of its own, and how deep: a loop that goes through the
layers of a tensor asks for one extent, a loop in it that goes through the layers of such a layer for the next."""

from __future__ import annotations

from xdsl.ir import Block, SSAValue

from hetc.dialects.mp import WRITES_IN_PLACE, ForOp, GetOp, PipelineOp, in_order, loop_of


class Layering:
    """How many of a value's first extents are of layers that lie apart. A memory lies in all steps as the one that
    goes deepest asks for; what the caller hands in lies as it is, and a layer of it is a part."""

    def __init__(self, pipeline: PipelineOp) -> None:
        self._declarations = pipeline.declarations
        self._asked: dict[SSAValue, int] = {}
        self._memories: dict[str, int] = {}
        for step in pipeline.steps.values():
            self._read(step.body.block)
            for op in in_order(step.body.block):
                if isinstance(op, GetOp) and not self._is_given(op.result):
                    known = self._memories.get(op.declared.data, 0)
                    self._memories[op.declared.data] = max(known, self.asked(op.result))

    def _read(self, block: Block) -> None:
        """What the ops of a block ask for, later ones first: they may ask it of what earlier ones make."""
        for op in reversed(list(block.ops)):
            if isinstance(op, ForOp):
                self._read(op.body.block)
                for argument, tensor in zip(op.layer_arguments, op.sliced, strict=True):
                    self._ask(tensor, 1 + self.asked(argument))
                for output, position in zip(op.written_outputs, op.written_positions, strict=True):
                    self._ask(op.sliced[position], self.asked(output))
                for position, value in enumerate(op.carried):
                    self._ask(value, self.carried(op, position))
            elif isinstance(op, WRITES_IN_PLACE):
                self._ask(op.memory, self.asked(op.result))

    def _ask(self, value: SSAValue, depth: int) -> None:
        self._asked[value] = max(self.asked(value), depth)

    def asked(self, value: SSAValue) -> int:
        """The depth that loops go through of a value, of what is written in its buffer, and of what carries it."""
        return self._asked.get(value, 0)

    def memory(self, name: str) -> int:
        """The depth of a memory."""
        return self._memories.get(name, 0)

    def sliced(self, loop: ForOp, position: int) -> int:
        """The depth in which a loop goes through its sliced tensor at a position."""
        tensor = loop.sliced[position]
        if self._is_given(tensor):
            return 0
        return max(self.depth(tensor), 1 + self.asked(loop.layer_arguments[position]))

    def depth(self, value: SSAValue) -> int:
        """The depth of a value where it is made; a copy of it on another device is in one piece."""
        while isinstance(value.owner, WRITES_IN_PLACE):
            value = value.owner.memory
        loop = loop_of(value)
        if loop is not None and value in loop.layer_arguments:
            return max(self.sliced(loop, list(loop.layer_arguments).index(value)) - 1, 0)  # type: ignore[arg-type]
        if loop is not None and value in loop.carried_arguments:
            return self.carried(loop, list(loop.carried_arguments).index(value))  # type: ignore[arg-type]
        if isinstance(value.owner, ForOp):
            position = list(value.owner.outputs).index(value)  # type: ignore[arg-type]
            if position < len(value.owner.carried):
                return self.carried(value.owner, position)
            return self.sliced(value.owner, value.owner.written_positions[position - len(value.owner.carried)])
        if isinstance(value.owner, GetOp) and not self._is_given(value):
            return self.memory(value.owner.declared.data)
        return 0

    def carried(self, loop: ForOp, position: int) -> int:
        """The depth of the buffer that a loop carries a value in."""
        return max(self.asked(loop.carried_arguments[position]), self.asked(loop.outputs[position]))

    def _is_given(self, value: SSAValue) -> bool:
        """Whether a value is an input or a weight, or a layer of one."""
        loop = loop_of(value)
        while loop is not None and value in loop.layer_arguments:
            value = loop.arguments[value]
            loop = loop_of(value)
        owner = value.owner
        return isinstance(owner, GetOp) and self._declarations[owner.declared.data].role.data != "memory"
