"""Types of on-chip things, and the pragmas that carry out what an op's attributes say."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from xdsl.ir import SSAValue

from hetc.backends.hls import c_types
from hetc.dialects import fpga


def queue_type(type: fpga.QueueType) -> str:
    return f"hetc::{type.kind.data}_queue<{c_types.value(type.score)}, {type.capacity.data}>"


def extents(type: fpga.ArrayType) -> str:
    return "".join(f"[{extent}]" for extent in type.extents)


def loop_pragmas(op: fpga.LoopOp, text: Callable[[SSAValue], str]) -> Iterator[str]:
    """Pipeline, unrolling, trip count, and what is known of the distance between iterations that share elements."""
    if op.ii is not None:
        yield f"#pragma HLS PIPELINE II={op.ii.value.data}"
    if op.unroll is not None:
        factor = op.unroll.value.data
        yield f"#pragma HLS UNROLL{f' factor={factor}' if factor else ''}"
    if op.most is not None and op.unroll is None:
        yield f"#pragma HLS LOOP_TRIPCOUNT max={op.most.value.data}"
    if op.apart is not None:
        distance = op.apart.value.data
        said = f"distance={distance} true" if distance else "false"
        for array in _changed_arrays(op):
            yield f"#pragma HLS DEPENDENCE variable={text(array)} inter {said}"


def array_pragmas(op: fpga.ArrayOp, name: str) -> Iterator[str]:
    """The memory that an array is built of, and its banks."""
    if op.memory.data != "register":
        yield f"#pragma HLS BIND_STORAGE variable={name} type=ram_2p impl={op.memory.data}"
    if op.partition.data == "complete":
        yield f"#pragma HLS ARRAY_PARTITION variable={name} complete dim=0"
    elif op.factors is not None:
        for dim, (factor, extent) in enumerate(zip(op.factors, op.result.type.extents, strict=True), 1):
            banks = factor.value.data
            if banks > 1:
                how = f"complete dim={dim}" if banks == extent else f"cyclic factor={banks} dim={dim}"
                yield f"#pragma HLS ARRAY_PARTITION variable={name} {how}"


def _changed_arrays(loop: fpga.LoopOp) -> list[SSAValue]:
    """On-chip arrays that the loop itself (no loop inside it) both loads and stores."""
    loads = [op.source for op in loop.body.block.ops if isinstance(op, fpga.LoadOp)]
    stores = [op.source for op in loop.body.block.ops if isinstance(op, fpga.StoreOp)]
    both = [source for source in stores if any(source is other for other in loads)]
    return [source for source in dict.fromkeys(both) if isinstance(source.type, fpga.ArrayType)]
