"""What becomes a memory's lies in the memory channel that the ports which read the memory lead to."""

from __future__ import annotations

from hetc.compiler.driver import Options, compile_source_file
from hetc.dialects import host
from hetc.passes.analysis.banks import banks_of, channels_of
from hetc.source import SourceFile

TEXT = """
pipeline updated:
    dim L = 2; dim M = 2; dim D = 1024
    input x: f32[D]
    memory total: f32[D]
    memory deep: f32[L, M, D]
    memory other: f32[D]
    step write(x):
        apply:
            h[d] = x[d]
            total[d] = total[d] * 2 + x[d]
            other[d] = x[d] + 1
            for l in L:
                for m in M:
                    deep[l, m, d] = deep[l, m, d] + h[d]
                    h[d] = h[d] + deep[l, m, d] + total[d]
        output h
    step ask(x):
        apply:
            o = sum[d](other[d] * x[d])
        output o
"""


def test_new_contents_lie_where_the_memory_is_read() -> None:
    compilation = compile_source_file(SourceFile("test.mp", TEXT), Options("mi210+u55c", pins={"apply": "fpga"}))
    program = next(op for op in compilation.module.body.block.ops if isinstance(op, host.ProgramOp))
    banks = banks_of(program, channels_of(compilation.module))
    memories = [op for op in program.walk() if isinstance(op, host.MemoryOp)]
    read = {op.declared.data: found for op in memories if (found := banks.of(op.result))}
    committed = [op for op in program.walk() if isinstance(op, host.CommitOp)]
    written = {op.declared.data: banks.of(host.buffer_of(op.value)) for op in committed}
    assert set(written) == {"total", "deep", "other"}
    for name, found in written.items():
        assert found and found == read[name], name
