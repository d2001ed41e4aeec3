"""topk and select: rounds that each take the best of what is left, by (score, index).

Every candidate's score is put into a tensor of keys, -inf for what may not be taken. A round is a reduction over the
keys for the highest one that comes after the round before: a lower score, or the same score at a higher index.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.dialects import arith
from xdsl.dialects.builtin import f32, i32
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, SSAValue

from hetc.dialects.mp import SelectOp, TopkOp
from hetc.passes.lower_linalg.builder import Operand, Size, leading
from hetc.passes.lower_linalg.statement import Statement
from hetc.passes.lower_linalg.step import Step

INFINITY = float("inf")
_LARGEST = 2**31 - 1
Body = Callable[[list[SSAValue], list[SSAValue]], Sequence[SSAValue]]


def lower_topk(step: Step, op: TopkOp) -> list[SSAValue]:
    """The indices and their scores."""
    selection = _Selection.of(step, op, op.k.value.data)
    indices, scores = selection.best()
    if op.order.data != "index":
        return [indices, scores]
    indices = selection.ascending(indices)
    return [indices, selection.scores_at(indices)]


def lower_select(step: Step, op: SelectOp) -> list[SSAValue]:
    """The indices, ascending, and how many did not fit."""
    selection = _Selection.of(step, op, op.capacity.value.data)
    indices, _ = selection.best()
    return [selection.ascending(indices), selection.overflow()]


@dataclass(frozen=True)
class _Selection:
    """keys: f32[rows..., n], of which `count` are taken in each row."""

    step: Step
    rows: Sequence[Size]
    keys: SSAValue
    count: int

    @staticmethod
    def of(step: Step, op: TopkOp | SelectOp, count: int) -> _Selection:
        builder, end = step.builder, op.yielded
        statement = Statement(step, op)

        def key(values: list[SSAValue]) -> list[SSAValue]:
            some = builder.add(arith.CmpfOp(values[0], builder.constant(-INFINITY, f32), "ogt"))  # NaN is not
            return [builder.select(builder.both(some, *values[1:]), values[0], -INFINITY)]

        wanted = [end.value, *([] if end.present is None else [end.present])]
        (keys,) = statement.elementwise(wanted, [f32], key, [-INFINITY])
        return _Selection(step, statement.sizes[:-1], keys, count)

    def best(self) -> tuple[SSAValue, SSAValue]:
        """(indices i32, scores f32), [rows..., count], by descending score, equal ones by ascending index; the unused
        tail is -1 and -inf."""
        builder, every = self.step.builder, [*self.rows, self.count]
        carried = [
            builder.filled(every, i32, -1), builder.filled(every, f32, -INFINITY),
            builder.filled(self.rows, f32, INFINITY), builder.filled(self.rows, i32, -1),
        ]  # fmt: skip

        def turn(place: SSAValue, carried: list[SSAValue]) -> list[SSAValue]:
            indices, scores, last_score, last_index = carried
            score, index = self._after(last_score, last_index)
            return [self._put(index, indices, place), self._put(score, scores, place), score, index]

        indices, scores, _, _ = builder.loop(self.count, carried, turn)
        return indices, scores

    def ascending(self, indices: SSAValue) -> SSAValue:
        """The same indices in ascending order, -1 behind them: each round takes the lowest above the one before."""
        builder, every = self.step.builder, [*self.rows, self.count]
        carried = [builder.filled(every, i32, _LARGEST), builder.filled(self.rows, i32, -1)]

        def turn(place: SSAValue, carried: list[SSAValue]) -> list[SSAValue]:
            lowest = self._above(indices, carried[1])
            return [self._put(lowest, carried[0], place), lowest]

        def unused(given: list[SSAValue], _: list[SSAValue]) -> list[SSAValue]:
            used = builder.add(arith.CmpiOp(given[0], builder.constant(_LARGEST, i32), "ne"))
            return [builder.select(used, given[0], -1)]

        found = builder.loop(self.count, carried, turn)[0]
        return self._map(found, i32, unused)

    def scores_at(self, indices: SSAValue) -> SSAValue:
        """The score of each index, -inf for -1."""
        builder = self.step.builder

        def score(given: list[SSAValue], _: list[SSAValue]) -> list[SSAValue]:
            place = builder.cast(given[0], builder.index(0).type)
            rows = [builder.add(linalg.IndexOp(position)) for position in range(len(self.rows))]
            taken = builder.less(place, 0, "sge")
            return builder.choose(
                taken,
                [f32],
                lambda: [builder.extract(self.keys, [*rows, place])],
                lambda: [builder.constant(-INFINITY, f32)],
            )

        return self._map(indices, f32, score)

    def overflow(self) -> SSAValue:
        """i32[rows...]: how many keys are candidates beyond the count."""
        builder = self.step.builder

        def one_more(given: list[SSAValue], so_far: list[SSAValue]) -> list[SSAValue]:
            some = builder.add(arith.CmpfOp(given[0], builder.constant(-INFINITY, f32), "ogt"))
            return [builder.add(arith.AddiOp(so_far[0], builder.add(arith.ExtUIOp(some, i32))))]

        # Starts below 0, so that the first `count` of them are none too many.
        first = builder.filled(self.rows, i32, -self.count)
        (beyond,) = builder.generic([self._of_keys], [self._of_rows(first)], 1, one_more)

        def at_least_none(given: list[SSAValue], _: list[SSAValue]) -> list[SSAValue]:
            return [builder.add(arith.MaxSIOp(given[0], builder.constant(0, i32)))]

        rows = len(self.rows)
        out = Operand(builder.empty(self.rows, i32), leading(rows, rows))
        return builder.generic([Operand(beyond, leading(rows, rows))], [out], 0, at_least_none)[0]

    @property
    def _of_keys(self) -> Operand:
        return Operand(self.keys, leading(len(self.rows) + 1, len(self.rows) + 1))

    def _of_rows(self, tensor: SSAValue) -> Operand:
        return Operand(tensor, leading(len(self.rows) + 1, len(self.rows)))

    def _after(self, last_score: SSAValue, last_index: SSAValue) -> list[SSAValue]:
        """(score, index) of each row's highest key after the given one."""
        builder = self.step.builder

        def better(given: list[SSAValue], so_far: list[SSAValue]) -> list[SSAValue]:
            key, limit, limit_index = given
            index = builder.cast(builder.add(linalg.IndexOp(len(self.rows))), i32)
            lower = builder.add(arith.CmpfOp(key, limit, "olt"))
            equal = builder.add(arith.CmpfOp(key, limit, "oeq"))
            later = builder.both(equal, builder.add(arith.CmpiOp(index, limit_index, "sgt")))
            assert later is not None
            left = builder.add(arith.OrIOp(lower, later))
            # Strictly above, so that the lower index stays and -inf is never taken.
            taken = builder.both(left, builder.add(arith.CmpfOp(key, so_far[0], "ogt")))
            assert taken is not None
            return [
                builder.add(arith.SelectOp(taken, key, so_far[0])),
                builder.add(arith.SelectOp(taken, index, so_far[1])),
            ]

        outs = [builder.filled(self.rows, f32, -INFINITY), builder.filled(self.rows, i32, -1)]
        inputs = [self._of_keys, self._of_rows(last_score), self._of_rows(last_index)]
        return builder.generic(inputs, [self._of_rows(out) for out in outs], 1, better)

    def _above(self, indices: SSAValue, last: SSAValue) -> SSAValue:
        """The lowest index of each row above the given one, the largest i32 where there is none."""
        builder, rows = self.step.builder, len(self.rows)

        def lower(given: list[SSAValue], so_far: list[SSAValue]) -> list[SSAValue]:
            above = builder.add(arith.CmpiOp(given[0], given[1], "sgt"))
            return [builder.add(arith.MinSIOp(so_far[0], builder.select(above, given[0], _LARGEST)))]

        inputs = [Operand(indices, leading(rows + 1, rows + 1)), self._of_rows(last)]
        return builder.generic(inputs, [self._of_rows(builder.filled(self.rows, i32, _LARGEST))], 1, lower)[0]

    def _put(self, part: SSAValue, whole: SSAValue, place: SSAValue) -> SSAValue:
        """`whole` [rows..., count] with `part` [rows...] at a place of its last dim."""
        return self.step.builder.inserted(part, whole, [0] * len(self.rows) + [place], [*self.rows, 1])

    def _map(self, tensor: SSAValue, element: Attribute, body: Body) -> SSAValue:
        """[rows..., count] -> [rows..., count] of this element type, element by element."""
        builder, loops = self.step.builder, len(self.rows) + 1
        out = builder.empty([*self.rows, self.count], element)
        return builder.generic(
            [Operand(tensor, leading(loops, loops))], [Operand(out, leading(loops, loops))], 0, body
        )[0]
