"""Which buffers are striped over memory channels: what the kernels that use a value expect of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xdsl.ir import SSAValue

from hetc.dialects.host import BufferType
from hetc.dialects.mp import WRITES_IN_PLACE, ForOp, GetOp, PipelineOp, TensorType, in_order, loop_of
from hetc.dialects.task import KernelOp
from hetc.passes.lower_host.generated import Launch, channels_of

Root = SSAValue | str
"""What shares one buffer: a value, or a memory by its name (in every step, appended to or not)."""


class Layout:
    """Channels of each value's buffer."""

    def __init__(self, pipeline: PipelineOp, launches: Mapping[str, Sequence[Launch]]) -> None:
        self.pipeline = pipeline
        self._channels: dict[Root, int] = {}
        # Memories that some loop goes through by layers.
        self._layered: set[str] = set()
        for step in pipeline.steps.values():
            for op in in_order(step.body.block):
                if isinstance(op, KernelOp):
                    self._read(op, launches.get(op.sym_name.data, ()))
                elif isinstance(op, ForOp):
                    roots = [self.root(value) for value in op.sliced]
                    self._layered.update(root for root in roots if isinstance(root, str))

    def _read(self, kernel: KernelOp, launches: Sequence[Launch]) -> None:
        """A result lies as its kernel writes it; a memory, or a copy, as the kernel with the most channels reads it.
        Whoever wants another layout is given a copy."""
        for number, value in enumerate(kernel.outputs):
            self._channels[value] = channels_of(kernel, launches, "result", number) or 1
        for number, argument in enumerate(kernel.arguments):
            root = self.root(argument)
            if isinstance(root, str) or not isinstance(root.owner, KernelOp):
                count = channels_of(kernel, launches, "operand", number)
                self._channels[root] = max(self._channels.get(root, 1), count)

    def wanted(self, kernel: KernelOp, launches: Sequence[Launch], number: int, type: BufferType) -> BufferType:
        """The type in which a kernel reads an operand that lies as `type`."""
        count = channels_of(kernel, launches, "operand", number) or type.channels.data
        return self._striped(type.tensor, type.kind, count)

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

    def _striped(self, type: TensorType, device: str, channels: int) -> BufferType:
        return BufferType(type, device, channels, self.striped_axis(type) if channels > 1 else 0)

    def striped_axis(self, type: TensorType) -> int:
        """The extent whose rows are dealt to channels: the scanned one, so the last that grows, else the last
        run-time one."""
        growing = {dim for step in self.pipeline.steps.values() for dim in step.grows.data}
        run_time = [at for at, size in enumerate(type.shape) if isinstance(size, str)]
        return max((at for at in run_time if type.shape[at] in growing), default=max(run_time, default=0))

    def type_of(self, value: SSAValue, device: str) -> BufferType:
        """The buffer type of a value on a device. A copy of a memory elsewhere has a layout of its own."""
        assert isinstance(value.type, TensorType)
        return self._striped(value.type, device, self._channels.get(self.root(value), 1))

    def memory_type(self, name: str, device: str) -> BufferType:
        """The buffer type of a memory at its home."""
        type_, channels = self.pipeline.declarations[name].type, self._channels.get(name, 1)
        if name not in self._layered:
            return self._striped(type_, device, channels)
        axis = 1 + self.striped_axis(type_.layer) if channels > 1 else 0
        return BufferType(type_, device, channels, axis, layered=True)
