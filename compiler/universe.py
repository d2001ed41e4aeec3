"""Our dialects and passes, as xDSL's plug-in entry point `xdsl.universe` wants them."""

from xdsl.universe import Universe

from hetc.dialects.registry import all_dialects
from hetc.passes.registry import all_passes

HETC_UNIVERSE = Universe(all_dialects=all_dialects(), all_passes=all_passes())
