"""What the lowering of a step knows while it goes through the statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from xdsl.ir import SSAValue

from hetc.dialects.mp import PipelineOp, TensorType
from hetc.passes.lower_linalg.builder import Builder, shape_of
from hetc.passes.lower_linalg.extents import Extents


@dataclass
class Step:
    """tensors: each value of the step -> its tensor in the function. whole: the tensors that have a capacity, of at
    least their live extents (arguments, and what is made of them by writing); all others have the live extents."""

    pipeline: PipelineOp
    builder: Builder
    extents: Extents
    tensors: dict[SSAValue, SSAValue] = field(default_factory=dict)
    whole: set[SSAValue] = field(default_factory=set)

    def cut(self, value: SSAValue, keys: Sequence[int | str]) -> SSAValue:
        """The tensor of `value`, its leading part of these extents."""
        type_ = value.type
        assert isinstance(type_, TensorType)
        made = self.tensors[value]
        if tuple(keys) == type_.shape and made not in self.whole:
            return made
        sizes = self.extents.sizes(keys)
        if all(isinstance(size, int) for size in sizes) and tuple(sizes) == shape_of(made):
            return made
        return self.builder.sliced(made, [0] * len(sizes), sizes)

    def written(self, before: SSAValue, after: SSAValue) -> SSAValue:
        """`after`: the tensor `before` with something written into it. It has a capacity where that has one."""
        if before in self.whole:
            self.whole.add(after)
        return after

    def live(self, value: SSAValue) -> SSAValue:
        """The tensor of `value`, its live part."""
        assert isinstance(value.type, TensorType)
        return self.cut(value, value.type.shape)
