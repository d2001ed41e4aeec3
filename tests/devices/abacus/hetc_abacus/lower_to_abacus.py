"""Task kernels on an abacus as loops whose combiners are expanded."""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from hetc.passes.nest.bind_arguments import BindArgumentsPass
from hetc.passes.nest.expand_combiners import ExpandCombinersPass
from hetc.passes.nest.lower_to_nest import LowerToNestPass

KINDS = ("abacus",)


@dataclass(frozen=True)
class LowerToAbacusPass(ModulePass):
    """Loops for each task kernel on an abacus.

    Before: kernels are cut, presence is explicit. After: each on an abacus has a nest.kernel with its argument list.
    """

    name = "lower-to-abacus"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for made in (LowerToNestPass(KINDS), ExpandCombinersPass(KINDS), BindArgumentsPass(KINDS)):
            made.apply(ctx, op)
