"""A reduction that takes several iterations of the pipeline around it.

A loop inside the loop over rows would drain its pipeline for every row. Instead one loop runs over rows and rounds:
each round's elements are combined side by side and added to what the rounds before them left, which is carried
from iteration to iteration; the row's value is whole in its last round. A running float sum is carried as several
partial ones that take turns, so that no addition waits for the one before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type
from xdsl.ir import SSAValue

from hetc.passes.lower_hls.builder import Body, Loop
from hetc.passes.lower_hls.lanes import Rounds


@dataclass
class RoundLoop:
    """The loop over rows and rounds. `carried` are the partial results, newest first; `following` those of the next
    iteration, once the reduction has been lowered."""

    rounds: Rounds
    loop: Loop
    row: SSAValue
    number: SSAValue  # of the round
    following: list[SSAValue] = field(default_factory=list)

    @classmethod
    def open(cls, body: Body, rounds: Rounds, rows: SSAValue, nothing: SSAValue, accumulators: int) -> RoundLoop:
        """`nothing` is the value of the reduction over no element."""
        is_float = isinstance(nothing.type, Float32Type)
        carried = [nothing] * (min(accumulators, rounds.count) if is_float else 1)
        steps = body.add(arith.MuliOp(rows, body.index(rounds.count))).result
        loop = body.loop("step", steps, carried)
        inner = loop.body
        places = rounds.count.bit_length() - 1
        row = inner.add(arith.ShRUIOp(loop.index, inner.index(places))).result
        number = inner.add(arith.AndIOp(loop.index, inner.index(rounds.count - 1))).result
        row.name_hint, number.name_hint = "row", "round"
        return cls(rounds, loop, row, number)

    def is_first(self) -> SSAValue:
        return self.loop.body.compare("eq", self.number, self.loop.body.index(0))

    def is_last(self) -> SSAValue:
        return self.loop.body.compare("eq", self.number, self.loop.body.index(self.rounds.count - 1))

    def add(self, body: Body, value: SSAValue) -> SSAValue:
        """One round's value; returns the value of all rounds so far."""
        from hetc.passes.lower_hls.reductions import combine

        kind, oldest = self.rounds.op.kind.data, self.loop.carried[-1]
        count = len(self.loop.carried)
        if self.rounds.count > count or count == 1:
            begins = body.compare("slt", self.number, body.index(count))
            value = body.select(begins, value, combine(body, kind, oldest, value))
        self.following = [value, *self.loop.carried[:-1]]
        return self._tree(body, kind, self.following)

    def _tree(self, body: Body, kind: str, values: Sequence[SSAValue]) -> SSAValue:
        from hetc.passes.lower_hls.reductions import combine

        level = list(values)
        while len(level) > 1:
            joined = [combine(body, kind, *level[place : place + 2]) for place in range(0, len(level) - 1, 2)]
            level = joined + level[len(level) - len(level) % 2 :]
        return level[0]
