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
        "fuse-loops": "hetc.passes.nest.fuse_loops:FuseLoopsPass",
        "place-buffers": "hetc.passes.nest.place_buffers:PlaceBuffersPass",
        "share-values": "hetc.passes.nest.share_values:ShareValuesPass",
        "hoist-invariants": "hetc.passes.nest.hoist_invariants:HoistInvariantsPass",
        "simplify-presence": "hetc.passes.nest.simplify_presence:SimplifyPresencePass",
        "limit-loops": "hetc.passes.nest.limit_loops:LimitLoopsPass",
        "inline-producers": "hetc.passes.nest.inline_producers:InlineProducersPass",
        "guard-work": "hetc.passes.nest.guard_work:GuardWorkPass",
        "stage-reads": "hetc.passes.nest.stage_reads:StageReadsPass",
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
    everywhere=True,
)
