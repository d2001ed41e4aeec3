"""Combiners: what a fold does to a state. Each is one file with its identity, step, merge and result.

`#nest.combiner` names one; `combiner_of` gives what it is. All but `queue` are `Built`: they make their ops.
Devices keep queues of their own (see `queue`).
"""

from hetc.dialects.nest.combiners.base import Build, Built, Combiner, Field
from hetc.dialects.nest.combiners.registry import CombinerAttr, combiner_of

__all__ = ["Build", "Built", "Combiner", "CombinerAttr", "Field", "combiner_of"]
