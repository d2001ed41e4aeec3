"""topk and select: rounds that each take the best of what is left, by (score, index).

Every candidate's score is put into a tensor of keys: f32 ones with -inf for what may not be taken, integer ones as i64
with the lowest number (a score of i64 is a difference of two i32, and above it). A round is a reduction over the
keys for the highest one that comes after the round before: a lower score, or the same score at a higher index.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from xdsl.dialects import arith
from xdsl.dialects.builtin import f32, i1, i32, i64
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, SSAValue

from hetc.dialects.mp import SelectOp, TopkOp
from hetc.passes.lower_linalg.builder import Builder, Operand, Size, leading
from hetc.passes.lower_linalg.statement import Statement
from hetc.passes.lower_linalg.step import Step

_LARGEST = 2**31 - 1
Body = Callable[[list[SSAValue], list[SSAValue]], Sequence[SSAValue]]


class _Keys(NamedTuple):
    """The type of keys, the key of what may not be taken, one above all, and what is stored where no score is."""

    element: Attribute
    lowest: float
    highest: float
    absent_score: float

    def above(self, builder: Builder, left: SSAValue, right: SSAValue) -> SSAValue:
        """Whether left > right; NaN is not."""
        compared = arith.CmpfOp(left, right, "ogt") if self.element == f32 else arith.CmpiOp(left, right, "sgt")
        return builder.add(compared)


_FLOATS = _Keys(f32, -float("inf"), float("inf"), -float("inf"))
_INTEGERS = _Keys(i64, -(2**63), 2**63 - 1, -(2**31))


def lower_topk(step: Step, op: TopkOp) -> list[SSAValue]:
    """The indices and their scores."""
    selection = _Selection.of(step, op, op.k.value.data)
    indices, keys = selection.best()
    if op.order.data == "index":
        indices = selection.ascending(indices)
        keys = selection.keys_at(indices)
    return [indices, selection.scores(keys)]


def lower_select(step: Step, op: SelectOp) -> list[SSAValue]:
    """The indices, ascending, and how many did not fit."""
    selection = _Selection.of(step, op, op.capacity.value.data)
    indices, _ = selection.best()
    return [selection.ascending(indices), selection.overflow()]


@dataclass(frozen=True)
class _Selection:
    """keys: [rows..., n], of which `count` are taken in each row."""

    step: Step
    rows: Sequence[Size]
    format: _Keys
    keys: SSAValue
    count: int

    @staticmethod
    def of(step: Step, op: TopkOp | SelectOp, count: int) -> _Selection:
        builder, end = step.builder, op.yielded
        statement = Statement(step, op)
        format_ = _FLOATS if end.value.type == f32 else _INTEGERS

        def key(values: list[SSAValue]) -> list[SSAValue]:
            score, present = builder.cast(values[0], format_.element), builder.both(*values[1:])
            if format_ is _FLOATS:
                present = builder.both(format_.above(builder, score, builder.constant(format_.lowest, f32)), present)
            return [builder.select(present, score, format_.lowest)]

        wanted = [end.value, *([] if end.present is None else [end.present])]
        (keys,) = statement.elementwise(wanted, [format_.element], key, [format_.lowest])
        return _Selection(step, statement.sizes[:-1], format_, keys, count)

    def best(self) -> tuple[SSAValue, SSAValue]:
        """(indices i32, keys), [rows..., count], by descending score, equal ones by ascending index; the unused tail
        is -1 and the lowest key."""
        builder, every, (element, lowest, highest, _) = self.step.builder, [*self.rows, self.count], self.format
        carried = [
            builder.filled(every, i32, -1), builder.filled(every, element, lowest),
            builder.filled(self.rows, element, highest), builder.filled(self.rows, i32, -1),
        ]  # fmt: skip

        def turn(place: SSAValue, carried: list[SSAValue]) -> list[SSAValue]:
            indices, keys, last_key, last_index = carried
            key, index = self._after(last_key, last_index)
            return [self._put(index, indices, place), self._put(key, keys, place), key, index]

        indices, keys, _, _ = builder.loop(self.count, carried, turn)
        return indices, keys

    def scores(self, keys: SSAValue) -> SSAValue:
        """The scores of keys, as they are stored."""
        builder, format_ = self.step.builder, self.format
        if format_ is _FLOATS:
            return keys

        def score(given: list[SSAValue], _: list[SSAValue]) -> list[SSAValue]:
            some = format_.above(builder, given[0], builder.constant(format_.lowest, format_.element))
            return [builder.select(some, builder.cast(given[0], i32), format_.absent_score)]

        return self._map(keys, i32, score)

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

    def keys_at(self, indices: SSAValue) -> SSAValue:
        """The key of each index, the lowest for -1."""
        builder, (element, lowest, _, _) = self.step.builder, self.format

        def key(given: list[SSAValue], _: list[SSAValue]) -> list[SSAValue]:
            place = builder.cast(given[0], builder.index(0).type)
            rows = [builder.add(linalg.IndexOp(position)) for position in range(len(self.rows))]
            taken = builder.less(place, 0, "sge")
            return builder.choose(
                taken,
                [element],
                lambda: [builder.extract(self.keys, [*rows, place])],
                lambda: [builder.constant(lowest, element)],
            )

        return self._map(indices, element, key)

    def overflow(self) -> SSAValue:
        """i32[rows...]: how many keys are candidates beyond the count."""
        builder, format_ = self.step.builder, self.format

        def one_more(given: list[SSAValue], so_far: list[SSAValue]) -> list[SSAValue]:
            some = format_.above(builder, given[0], builder.constant(format_.lowest, format_.element))
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

    def _after(self, last_key: SSAValue, last_index: SSAValue) -> list[SSAValue]:
        """(key, index) of each row's highest key after the given one."""
        builder, format_ = self.step.builder, self.format

        def better(given: list[SSAValue], so_far: list[SSAValue]) -> list[SSAValue]:
            key, limit, limit_index = given
            index = builder.cast(builder.add(linalg.IndexOp(len(self.rows))), i32)
            lower, higher = format_.above(builder, limit, key), format_.above(builder, key, limit)
            later = builder.add(arith.CmpiOp(index, limit_index, "sgt"))
            left = builder.add(arith.OrIOp(lower, builder.add(arith.SelectOp(higher, builder.constant(0, i1), later))))
            # Strictly above, so that the lower index stays and the lowest key is never taken.
            taken = builder.both(left, format_.above(builder, key, so_far[0]))
            assert taken is not None
            return [
                builder.add(arith.SelectOp(taken, key, so_far[0])),
                builder.add(arith.SelectOp(taken, index, so_far[1])),
            ]

        outs = [builder.filled(self.rows, format_.element, format_.lowest), builder.filled(self.rows, i32, -1)]
        inputs = [self._of_keys, self._of_rows(last_key), self._of_rows(last_index)]
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
