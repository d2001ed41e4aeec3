"""The manifest, which hetc finds through the entry point."""

from hetc.devices import DeviceKind

DEVICE = DeviceKind(
    kind="abacus",
    title="abacus",
    role="arithmetic",
    rank=9,
    model="hetc_abacus.platform:Abacus",
    scheduler="hetc_abacus.schedule:plan",
    stage="abacus",
    passes={"lower-to-abacus": "hetc_abacus.lower_to_abacus:LowerToAbacusPass"},
    dialects={"nest": "hetc.dialects.nest:NEST"},
    kernel="nest.kernel",
    launch_options=("sym_name",),
    printer="hetc_abacus.printer",
    prints={"beads": (".py",)},
    channels="hetc_abacus.channels:channels_of",
    runtime="hetc_abacus.runtime:open_device",
    builds="hetc_abacus.builds",
    detect="hetc_abacus.runtime:detect",
    platforms="hetc_abacus:platforms",
    needs=("beads",),
    checks={"beads": "hetc_abacus.runtime:check_beads"},
    options={"speed": "beads a second, for show"},
    notes="An abacus is moved by hand.",
)
