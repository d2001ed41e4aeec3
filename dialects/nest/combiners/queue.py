"""queue<T, K>: the K best of the pairs (score, index) that were folded: higher scores first, of equal ones the lower
index. That is a total order, so the order of the folds does not matter. NaN and -inf are never taken.

Devices keep queues of their own (a heap, a shift register, a radix selection), so a queue has no builder: it is read
by `nest.arrange` and `nest.entry`, and `nest.offered` says how many pairs it could have taken."""

from __future__ import annotations

from xdsl.dialects.builtin import IndexType
from xdsl.ir import Attribute

from hetc.dialects.nest.combiners.base import Combiner, Field


class Queue(Combiner):
    """A fold is given a score and its index."""

    NAME = "queue"
    SIZED = True

    @property
    def is_exact(self) -> bool:
        return True

    @property
    def takes(self) -> tuple[Attribute, ...]:
        return (self.type, IndexType())

    @property
    def gives(self) -> tuple[Attribute, ...]:
        return ()

    @property
    def state(self) -> tuple[Field, ...]:
        return (Field("score", self.type, self.size), Field("index", IndexType(), self.size))
