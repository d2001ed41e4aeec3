"""Sums of products as matrix products."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdsl.ir import SSAValue

from hetc.dialects.mp import ReduceOp

if TYPE_CHECKING:
    from hetc.passes.lower_triton.region import Region


def lower_dot(region: Region, op: ReduceOp) -> SSAValue | None:
    """The reduction through tile.dot, or None where it is not a sum of products that fits one."""
    return None
