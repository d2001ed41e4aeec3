"""Processors, programmed in C++ and compiled where the program runs."""

from hetc.devices import DeviceKind

DEVICE = DeviceKind(
    kind="cpu",
    title="processor",
    role="arithmetic",
    rank=1,
    model="hetc.platforms.cpu:Cpu",
    scheduler="hetc.passes.schedule.cpu:plan",
    stage="nest",
    passes={
        "lower-to-nest": "hetc.passes.nest.lower_to_nest:LowerToNestPass",
        "expand-combiners": "hetc.passes.nest.expand_combiners:ExpandCombinersPass",
        "bind-parallel": "hetc.passes.nest.bind_parallel:BindParallelPass",
        "bind-arguments": "hetc.passes.nest.bind_arguments:BindArgumentsPass",
    },
    dialects={"nest": "hetc.dialects.nest:NEST"},
    kernel="nest.kernel",
    printer="hetc.backends.cpu.project",
    prints={"cpp": (".cpp", ".h")},
    runtime="hetc.runtime.cpu:open_device",
    needs=("g++",),
    detect="hetc.runtime.cpu_found:detect",
    measure="hetc.runtime.cpu_measure:platform_text",
    checks={"g++": "hetc.runtime.cxx_found:check_compiler"},
    everywhere=True,
)
