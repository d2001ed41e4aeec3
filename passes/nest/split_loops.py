"""Long loops of a processor's kernels in chunks, which threads may share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType, IntegerAttr, ModuleOp, i64
from xdsl.ir import Block, Region
from xdsl.passes import ModulePass

from hetc.dialects import nest
from hetc.dialects.mp import DimOp
from hetc.passes.nest.building import Builder, dims_of, put_before
from hetc.passes.nest.chains import Chain, chunk_count

MOST_CHUNKS = 1024


@dataclass(frozen=True)
class SplitLoopsPass(ModulePass):
    """Split the outermost long loop of independent passes in each phase into chunks, and move what stands beside it
    into the loop over the chunks, so that threads can share those of all loops around it: also where there is one row.

    Before: no loop of the kernels on one of `devices` is bound. After: a phase that is loops in each other has no loop
    of independent passes there that goes through more than twice `chunk` elements, those inside of such a one apart.

        for %b { %T = dim_size "T" per %b             %c = chunks of the largest %T
          for %t = 0 to %T { store .. %s[%b, %t] } }  ->  for %b { for %n = 0 to %c { %T = dim_size "T" per %b
                                                            for %t = %n * 1024 to min(%n * 1024 + 1024, %T) {...} } }
    """

    name = "split-loops"
    devices: tuple[str, ...] = ("cpu",)
    chunk: int = 1024

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        dims = dims_of(op)
        for kernel in [item for item in op.body.block.ops if isinstance(item, nest.KernelOp)]:
            if kernel.device.data in self.devices:
                split_loops(kernel, dims, self.chunk)


def split_loops(kernel: nest.KernelOp, dims: Mapping[str, DimOp], chunk: int = SplitLoopsPass.chunk) -> None:
    """The loops of one kernel."""
    for phase in [op for op in kernel.block.ops if isinstance(op, nest.PhaseOp)]:
        chain = Chain(phase)
        while (loop := chain.next()) is not None:
            if loop.most_passes > 2 * chunk and loop.step_size == 1 and _is_independent(loop, phase):
                _split(chain, loop, dims, max(chunk, -(-loop.most_passes // MOST_CHUNKS)))
                break
            chain.loops.append(loop)


def _is_independent(loop: nest.ForOp, phase: nest.PhaseOp) -> bool:
    return nest.dependence(loop) is None and nest.unawaited(loop, phase) is None


def _split(chain: Chain, loop: nest.ForOp, dims: Mapping[str, DimOp], chunk: int) -> None:
    """Chunks of one loop, which is all that the chain's innermost block holds."""
    builder = Builder(dims, Block(), loop)
    count = chunk_count(builder, chain, loop, chunk)
    put_before(builder, (chain.loops or [loop])[0])
    limits = [limit for item in chain.loops for limit in (item.lower, item.upper)]
    kept = set(chain.needed(limits))
    beside = [op for item in chain.loops for op in item.block.ops if op not in kept and not op.regions]
    body = Block(arg_types=[IndexType()])
    body.args[0].name_hint = "chunk"
    builder = Builder(dims, Block(), loop)
    builder.add(nest.ForOp(builder.index(0), count, -(-loop.most_passes // chunk), Region(body)))
    put_before(builder, loop)
    for op in [*beside, loop]:
        op.detach()
        body.add_op(op)
    _limit(loop, body, dims, chunk)


def _limit(loop: nest.ForOp, body: Block, dims: Mapping[str, DimOp], chunk: int) -> None:
    """The limits of a chunk in the place of the loop's."""
    builder = Builder(dims, Block(), loop)
    first = builder.value(arith.MuliOp(body.args[0], builder.index(chunk)))
    if nest.number_of(loop.lower) != 0:
        first = builder.value(arith.AddiOp(loop.lower, first))
    last = builder.value(arith.MinSIOp(builder.value(arith.AddiOp(first, builder.index(chunk))), loop.upper))
    put_before(builder, loop)
    loop.operands[0], loop.operands[1] = first, last
    loop.properties["most"] = IntegerAttr(chunk, i64)
