"""Values that a kernel returns without computing them: its operands and constants, copied element by element."""

from __future__ import annotations

from xdsl.ir import SSAValue

from hetc.dialects.mp import ConstantOp, DimAttr, TensorType
from hetc.passes.lower_hls.builder import Body, Frame, Loop
from hetc.passes.lower_hls.kernel import KernelBuilder
from hetc.passes.lower_hls.memory import Sparse
from hetc.passes.lower_hls.refusal import refuse
from hetc.passes.lower_hls.statements import finish, store_all


def lower_returns(kernel: KernelBuilder) -> None:
    """A copying process for each such value."""
    for value in dict.fromkeys(kernel.task.returned.values):
        if value in kernel.task.block.args or isinstance(value.owner, ConstantOp):
            _copy(kernel, value)


def _copy(kernel: KernelBuilder, value: SSAValue) -> None:
    type_ = value.type
    home = kernel.homes.get(value)
    assert isinstance(type_, TensorType)
    if home is None or isinstance(home, Sparse):
        raise refuse("an operand in parts that is returned unchanged", kernel.task)
    frame = Frame(kernel.step_name(value, "copy"), kernel.task)
    region = kernel.region()
    body: Body = frame.body()
    loops: list[Loop] = []
    at: dict[str, SSAValue] = {}
    for number, extent in enumerate(type_.extents):
        per = region.per.get(type_.shape[number]) if isinstance(extent, DimAttr) else None  # type: ignore[arg-type]
        loop = body.loop(f"i{number}", region.extent(body, extent, at[per] if per else None))
        if isinstance(extent, DimAttr):
            at.setdefault(extent.symbol.data, loop.index)
        region.safe[loop.index] = type_.shape[number]
        loops.append(loop)
        body = loop.body
    indices = [loop.index for loop in loops]
    store_all(body, kernel.result_homes(value), home.load(body, indices), indices)
    for loop in reversed(loops):
        loop.close()
    finish(kernel, frame)
