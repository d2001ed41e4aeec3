"""Initiation intervals: planted violations are found, what lowering declares is reachable."""

from __future__ import annotations

import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from hetc.dialects.registry import new_context
from hetc.passes.lower_hls.initiation import annotate_intervals, check_intervals

FRAME = """
builtin.module {{
  fpga.kernel @k task "k" arguments [#task.argument<"operand", #builtin.int<0>, "">] scratch [] target {{}} {{
    %x = fpga.port "x" bundle "g" bank 0 : i64 burst 64 : i64 outstanding 16 : i64 access "read" : !fpga.pointer<f32>
    fpga.process "p" (%x) {{
    ^bb0(%in: !fpga.pointer<f32>):
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %n = arith.constant 64 : index
      %start = arith.constant 0.0 : f32
      {array}
      {loop}
    }} : !fpga.pointer<f32>
  }}
}}
"""
ARRAY = 'fpga.array "a" in "bram" partition "none" : !fpga.array<[64], f32>'
BANKED = 'fpga.array "a" in "bram" partition "cyclic" factors [2 : i64] : !fpga.array<[64], f32>'
SUM = """%r = fpga.loop "i" %zero to %n carry (%start : f32) ii {ii} : i64 {{
      ^bb1(%i: index, %sum: f32):
        %v = fpga.load %in[%i] : !fpga.pointer<f32> -> f32
        %next = arith.addf %sum, %v : f32
        fpga.yield %next : f32
      }} : f32"""
TURNS = """%r, %s = fpga.loop "i" %zero to %n carry (%start, %start : f32, f32) ii {ii} : i64 {{
      ^bb1(%i: index, %newer: f32, %older: f32):
        %v = fpga.load %in[%i] : !fpga.pointer<f32> -> f32
        %next = arith.addf %older, %v : f32
        fpga.yield %next, %newer : f32, f32
      }} : f32, f32"""
TWO_READS = """fpga.loop "i" %zero to %n ii {ii} : i64 {{
      ^bb1(%i: index):
        %v = fpga.load %in[%i] : !fpga.pointer<f32> -> f32
        %j = arith.addi %i, %one : index
        %w = fpga.load %in[%j] : !fpga.pointer<f32> -> f32
        fpga.yield
      }}"""
ACCUMULATE = """fpga.loop "i" %zero to %n ii {ii} : i64 {apart} {{
      ^bb1(%i: index):
        %v = fpga.load %a[%i] : !fpga.array<[64], f32> -> f32
        %w = arith.addf %v, %v : f32
        fpga.store %w, %a[%i] : f32, !fpga.array<[64], f32>
        fpga.yield
      }}"""
THREE_LOADS = """fpga.loop "i" %zero to %n ii {ii} : i64 {{
      ^bb1(%i: index):
        %u = fpga.load %a[%i] : !fpga.array<[64], f32> -> f32
        %v = fpga.load %a[%one] : !fpga.array<[64], f32> -> f32
        %w = fpga.load %a[%zero] : !fpga.array<[64], f32> -> f32
        fpga.yield
      }}"""


def kernel(loop: str, array: str = "", **values) -> ModuleOp:
    text = FRAME.format(loop=loop.format(**values), array=f"%a = {array}" if array else "")
    module = Parser(new_context(), text).parse_module()
    module.verify()
    return module


CASES = [
    (SUM, "", {}, 7, "the recurrence through sum takes 7"),
    (TURNS, "", {}, 4, "the recurrence through older takes 4"),
    (TWO_READS, "", {}, 2, "2 accesses an iteration to in takes 2"),
    (ACCUMULATE, ARRAY, {"apart": ""}, 9, "the recurrence through a takes 9"),
    (ACCUMULATE, ARRAY, {"apart": "apart 8 : i64"}, 2, "the recurrence through a takes 2"),
    (THREE_LOADS, ARRAY, {}, 2, "3 accesses an iteration to a takes 2"),
]


@pytest.mark.parametrize(("loop", "array", "values", "least", "reason"), CASES)
def test_an_interval_too_small_is_found(loop, array, values, least, reason):
    for declared in range(1, least):
        (violation,) = check_intervals(kernel(loop, array, ii=declared, **values))
        assert reason in str(violation) and f"II {declared} cannot be reached" in str(violation)
    assert check_intervals(kernel(loop, array, ii=least, **values)) == []


def test_independent_iterations_and_banks_have_no_limit():
    assert check_intervals(kernel(ACCUMULATE, ARRAY, ii=1, apart="apart 0 : i64")) == []
    assert check_intervals(kernel(THREE_LOADS, BANKED, ii=1)) == []


@pytest.mark.parametrize(("loop", "array", "values", "least", "reason"), CASES)
def test_annotation_takes_the_least(loop, array, values, least, reason):
    module = kernel(loop.replace("ii {ii} : i64", ""), array, **values)
    annotate_intervals(module)
    (found,) = [op for op in module.walk() if op.name == "fpga.loop"]
    assert found.ii.value.data == least
    assert check_intervals(module) == []
