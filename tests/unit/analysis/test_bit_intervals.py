"""The intervals of operators on bits hold every result, whatever the operands' intervals."""

from __future__ import annotations

import operator
from itertools import product
from random import Random

import pytest
from xdsl.dialects import arith, test
from xdsl.dialects.builtin import i32

from hetc.dialects.mp import Interval, Intervals


def found(kind: type, a: Interval, b: Interval) -> Interval:
    left, right = test.TestOp(result_types=[i32, i32]).results
    op = kind(left, right)
    return Intervals(lambda dim: 0, {left: a, right: b}).of(op.results[0])


def shifted(value: int, by: int) -> int:
    return value >> by if 0 <= by < 32 else -(value < 0)


@pytest.mark.parametrize(
    ("kind", "function"),
    [
        (arith.AndIOp, operator.and_),
        (arith.OrIOp, operator.or_),
        (arith.XOrIOp, operator.xor),
        (arith.ShRSIOp, shifted),
    ],
)
def test_every_result_lies_within(kind: type, function: object) -> None:
    random = Random(0)
    for _ in range(400):
        a, b = (Interval(*sorted(random.choices(range(-9, 10), k=2))) for _ in range(2))
        interval = found(kind, a, b)
        for x, y in product(range(a.low, a.high + 1), range(b.low, b.high + 1)):
            assert interval.low <= function(x, y) <= interval.high, (a, b, x, y)  # type: ignore[operator]


def test_masks_and_inversions_are_known_closely() -> None:
    anything, bits = Interval(-(2**31), 2**31 - 1), Interval(15, 15)
    assert found(arith.AndIOp, anything, bits) == Interval(0, 15)
    assert found(arith.XOrIOp, Interval(-3, 7), Interval(-1, -1)) == Interval(-8, 2)
    assert found(arith.ShRSIOp, anything, Interval(28, 31)) == Interval(-8, 7)
