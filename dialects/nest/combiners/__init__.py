"""Combiners: what a fold does to a state. Each is one file with its identity, step, merge and result.

`#nest.combiner` names one; `combiner_of` gives its builder. Only `queue` has no builder: devices keep queues of their
own (see `queue`).
"""

from hetc.dialects.nest.combiners.base import Build, Combiner, Field
from hetc.dialects.nest.combiners.registry import CombinerAttr, combiner_of

__all__ = ["Build", "Combiner", "CombinerAttr", "Field", "combiner_of"]
