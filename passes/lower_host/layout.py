"""How buffers lie: striped over memory channels as the kernels that use a value expect it, layers apart for loops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xdsl.ir import SSAValue

from hetc.dialects.host import BufferType
from hetc.dialects.mp import WRITES_IN_PLACE, ForOp, GetOp, PipelineOp, TensorType, in_order, loop_of
from hetc.dialects.task import KernelOp
from hetc.passes.analysis.layering import Layering
from hetc.passes.lower_host.generated import Launch, Striping, striping_of

Root = SSAValue | str
"""What shares one buffer: a value, or a memory by its name (in every step, appended to or not)."""


class Layout:
    """How each value's buffer lies."""

    def __init__(self, pipeline: PipelineOp, launches: Mapping[str, Sequence[Launch]]) -> None:
        self.pipeline, self.layering = pipeline, Layering(pipeline)
        self._striping: dict[Root, Striping] = {}
        for step in pipeline.steps.values():
            for op in in_order(step.body.block):
                if isinstance(op, KernelOp):
                    self._read(op, launches.get(op.sym_name.data, ()))

    def _read(self, kernel: KernelOp, launches: Sequence[Launch]) -> None:
        """A result lies as it is; a memory, or a copy, as the kernel with the most channels reads it. Whoever wants
        another layout is given a copy."""
        for number, argument in enumerate(kernel.arguments):
            root = self.root(argument)
            if isinstance(root, str) or not isinstance(root.owner, KernelOp):
                wanted, known = striping_of(kernel, launches, number), self._striping.get(root, Striping())
                if wanted is not None and wanted.channels > known.channels:
                    self._striping[root] = wanted

    def wanted(self, kernel: KernelOp, launches: Sequence[Launch], number: int, type: BufferType) -> BufferType:
        """The type in which a kernel reads an operand that lies as `type`."""
        found = striping_of(kernel, launches, number)
        return type if found is None else _buffer(type.tensor, type.kind, found)

    def root(self, value: SSAValue) -> Root:
        """What `value` shares its buffer with."""
        owner, loop = value.owner, loop_of(value)
        if loop is not None:
            return self.root(loop.arguments[value]) if value in loop.layer_arguments else value
        if isinstance(owner, ForOp):
            position = list(owner.outputs).index(value)  # type: ignore[arg-type]
            if position < len(owner.carried):
                return owner.carried_arguments[position]
            return self.root(owner.sliced[owner.written_positions[position - len(owner.carried)]])
        if isinstance(owner, WRITES_IN_PLACE):
            return self.root(owner.memory)
        if isinstance(owner, GetOp) and self.pipeline.declarations[owner.declared.data].role.data == "memory":
            return owner.declared.data
        return value

    def type_of(self, value: SSAValue, device: str) -> BufferType:
        """The buffer type of a value on a device. A copy of a memory elsewhere has a layout of its own."""
        assert isinstance(value.type, TensorType)
        striping = self._striping.get(self.root(value), Striping())
        return _buffer(value.type, device, striping, self.layering.depth(value))

    def memory_type(self, name: str, device: str) -> BufferType:
        """The buffer type of a memory at its home."""
        type_ = self.pipeline.declarations[name].type
        return _buffer(type_, device, self._striping.get(name, Striping()), self.layering.memory(name))


def _buffer(type: TensorType, device: str, striping: Striping, depth: int = 0) -> BufferType:
    axis = type.rank + striping.axis if striping.channels > 1 else 0
    return BufferType(type, device, striping.channels, axis, depth)
