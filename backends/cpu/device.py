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
        "split-fold": "hetc.passes.nest.split_fold:SplitFoldPass",
        "split-loops": "hetc.passes.nest.split_loops:SplitLoopsPass",
        "stage": "hetc.passes.nest.stage:StagePass",
        "bind-vector": "hetc.passes.nest.bind_vector:BindVectorPass",
        "bind-parallel": "hetc.passes.nest.bind_parallel:BindParallelPass",
        "expand-lanes": "hetc.passes.nest.expand_lanes:ExpandLanesPass",
        "expand-combiners": "hetc.passes.nest.expand_combiners:ExpandCombinersPass",
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
