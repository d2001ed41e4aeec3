"""Host programs as text, for tests of what they need of a device's memory."""

from __future__ import annotations

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from hetc.dialects import host
from hetc.dialects.registry import new_context
from hetc.passes.lower_host.plan_workspace import PlanWorkspacePass

VECTOR = "!mp.tensor<[1024], f32>"


def module_of(steps: str, declarations: str = "", kernels: str = "") -> ModuleOp:
    """A host program with its workspace planned, beside the device kernels. `@gpu`, `@fpga` and `@host` stand for the
    types of buffers of 1024 f32 (4096 bytes) there, `@layers` for two of them that lie apart on the GPU."""
    text = steps
    for kind in ("gpu", "fpga", "host"):
        text = text.replace(f"@{kind}", f'!host.buffer<{VECTOR} on "{kind}">')
    text = text.replace("@layers", '!host.buffer<!mp.tensor<[2, 1024], f32> on "gpu" layered 1>')
    program = f'host.program "p" source "" {{ {declarations} {text} }}'
    module = Parser(new_context(), f"builtin.module {{ {kernels} {program} }}").parse_module()
    PlanWorkspacePass().apply(Context(), module)
    module.verify()
    return module


def kernel(task: str, reads: str, writes: str, launches: str = "", kind: str = "gpu") -> str:
    """A kernel over vectors; names are separated by commas."""
    counts = [len(names.split(",")) if names else 0 for names in (reads, writes)]
    types = [", ".join([f"@{kind}"] * count) for count in counts]
    return (
        f'host.kernel "{task}" on "{kind}" reads({reads}) writes({writes}) {{ ^bb0: {launches} }} '
        f": ({types[0]}) -> ({types[1]})"
    )


def launch(name: str, scratch: str) -> str:
    """One launch, which is passed some scratch."""
    names = scratch.split(",")
    arguments = ", ".join(f'#task.argument<"scratch", #builtin.int<{at}>, "">' for at in range(len(names)))
    types = ", ".join(["@gpu"] * len(names))
    return f'host.launch "{name}" arguments [{arguments}] options {{}} ({scratch}) : {types}'


def slots_of(module: ModuleOp) -> dict[str, int | None]:
    """The slot of each buffer, by its name."""
    return {op.buffer.data: op.slot_number for op in module.walk() if isinstance(op, host.AllocateOp | host.CopyOp)}
