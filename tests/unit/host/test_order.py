"""Launches come before waits that do not concern them, and nothing passes what it depends on."""

from __future__ import annotations

from xdsl.ir import Operation
from xdsl.parser import Parser

from hetc.dialects import host
from hetc.dialects.registry import new_context
from hetc.passes.lower_host.order import ordered

PLAIN = "!host.buffer<!mp.tensor<[4], f32> on "


def step(lines: str) -> list[Operation]:
    """The ops of a step; `gpu`, `fpga` and `host` stand for buffer types."""
    text = lines
    for kind in ("gpu", "fpga", "host"):
        text = text.replace(f"@{kind}", f'{PLAIN}"{kind}">')
    program = f'host.program "p" source "" {{ host.step @p grows {{}} {{ {text} }} }}'
    module = Parser(new_context(), program).parse_module()
    block = next(op for op in module.walk() if isinstance(op, host.StepOp)).block
    ops = list(block.ops)
    for op in ops:
        op.detach()
    return ops


def words(ops: list[Operation]) -> list[str]:
    """Each op by what tells it apart: a kernel's task, a wait's device, a buffer's name."""
    found = []
    for op in ops:
        match op:
            case host.KernelOp():
                found.append(op.task.data)
            case host.WaitOp():
                found.append(f"wait {op.device.data}")
            case host.CopyOp() | host.AllocateOp():
                found.append(op.buffer.data)
            case host.InputOp():
                found.append(op.declared.data)
            case host.OutputOp():
                found.append(f"output {op.output.data}")
            case host.AppendOp():
                found.append("append")
    return found


def test_gpu_work_is_launched_before_the_host_waits_for_the_fpga() -> None:
    ops = step("""
      %x = host.input "x" : @host
      %xf = host.copy "xf" %x : @host -> @fpga
      %s = host.allocate "s" : @fpga
      host.kernel "scan" on "fpga" reads(%xf) writes(%s) { ^bb0: } : (@fpga) -> (@fpga)
      %sg = host.copy "sg" %s : @fpga -> @gpu
      %xg = host.copy "xg" %x : @host -> @gpu
      %q = host.allocate "q" : @gpu
      host.kernel "project" on "gpu" reads(%xg) writes(%q) { ^bb0: } : (@gpu) -> (@gpu)
      %o = host.allocate "o" : @gpu
      host.kernel "apply" on "gpu" reads(%sg, %q) writes(%o) { ^bb0: } : (@gpu, @gpu) -> (@gpu)
      host.output "o", %o : @gpu
    """)
    assert words(ordered(ops)) == [
        "x", "xf", "s", "scan", "xg", "q", "project", "wait fpga", "sg", "o", "apply", "wait gpu", "output o",
    ]  # fmt: skip


def test_kernels_on_one_device_need_no_wait_between_them() -> None:
    ops = step("""
      %x = host.input "x" : @host
      %a = host.copy "a" %x : @host -> @gpu
      %b = host.allocate "b" : @gpu
      host.kernel "first" on "gpu" reads(%a) writes(%b) { ^bb0: } : (@gpu) -> (@gpu)
      %c = host.allocate "c" : @gpu
      host.kernel "second" on "gpu" reads(%b) writes(%c) { ^bb0: } : (@gpu) -> (@gpu)
      host.output "c", %c : @gpu
    """)
    assert words(ordered(ops)) == ["x", "a", "b", "first", "c", "second", "wait gpu", "output c"]


def test_an_append_stays_between_the_kernels_that_read_before_and_after_it() -> None:
    ops = step("""
      %m = host.memory "m" : @gpu
      %r = host.input "r" : @host
      %rg = host.copy "rg" %r : @host -> @gpu
      %a = host.allocate "a" : @gpu
      host.kernel "before" on "gpu" reads(%m) writes(%a) { ^bb0: } : (@gpu) -> (@gpu)
      %n = host.append %m, %rg along "T" : @gpu, @gpu -> @gpu
      %b = host.allocate "b" : @gpu
      host.kernel "after" on "gpu" reads(%n) writes(%b) { ^bb0: } : (@gpu) -> (@gpu)
      host.output "a", %a : @gpu
      host.output "b", %b : @gpu
    """)
    found = words(ordered(ops))
    assert found.index("before") < found.index("append") < found.index("after")
    assert found[-2:] == ["output a", "output b"]


def test_the_dialect_reads_what_it_prints() -> None:
    from pathlib import Path

    from hetc.passes.lower_host.lower_to_host import LowerToHostPass

    context = new_context()
    text = (Path(__file__).parents[2] / "filecheck" / "lower-to-host.mlir").read_text()
    module = Parser(context, text).parse_module()
    LowerToHostPass().apply(context, module)
    printed = str(module)
    assert str(Parser(context, printed).parse_module()) == printed
