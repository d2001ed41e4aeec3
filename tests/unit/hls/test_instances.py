"""Instances: one process of a dataflow, several times over."""

import pytest
from xdsl.parser import Parser
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.registry import new_context

FLOW = """
builtin.module {{
  fpga.dataflow "flow"() {{
    %a = fpga.stream "a" depth 2 : i64 : !fpga.stream<f32>
    %b = fpga.stream "b" depth 2 : i64 : !fpga.stream<f32>
    fpga.process "put" (%a) {{
    ^bb0(%out : !fpga.stream<f32>):
      %x = arith.constant 1.0 : f32
      fpga.write %x to %out : f32, !fpga.stream<f32>
    }} : !fpga.stream<f32>
    {instance}
    fpga.process "take" (%a, %b) {{
    ^bb0(%first : !fpga.stream<f32>, %second : !fpga.stream<f32>):
      %y = fpga.read %first : !fpga.stream<f32> -> f32
      %z = fpga.read %second : !fpga.stream<f32> -> f32
    }} : !fpga.stream<f32>, !fpga.stream<f32>
  }} :
}}
"""


def flow(instance: str):
    return Parser(new_context(), FLOW.format(instance=instance)).parse_module()


def test_an_instance_writes_what_its_process_writes():
    module = flow('fpga.instance of "put" (%b) : !fpga.stream<f32>')
    module.verify()
    again = Parser(new_context(), str(module)).parse_module()
    assert str(again) == str(module)


@pytest.mark.parametrize(
    "instance, complaint",
    [
        ('fpga.instance of "get" (%b) : !fpga.stream<f32>', "no process get before it"),
        ('fpga.instance of "put" (%a) : !fpga.stream<f32>', "stream a has 2 processes that write it"),
        ('fpga.instance of "put" (%a, %b) : !fpga.stream<f32>, !fpga.stream<f32>', "operand types differ"),
        ("", "stream b has 0 processes that write it"),
    ],
)
def test_what_cannot_be_an_instance_is_refused(instance, complaint):
    with pytest.raises(VerifyException, match=complaint):
        flow(instance).verify()
