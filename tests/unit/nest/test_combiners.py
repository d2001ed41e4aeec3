"""Each combiner on the processor against numpy: folds in order, two parts merged, what a state ends as."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np
import pytest
from nest_combiners import (
    ABSENT,
    ALL,
    CASES,
    COUNT,
    INFINITY,
    NAN,
    NONE,
    WEIGHT,
    WEIGHTS,
    ends,
    floats,
    planted,
    some,
)
from numpy.typing import NDArray

from hetc.dialects.nest.combiners.registry import COMBINERS


def in_order(operation: Callable[[np.float32, np.float32], np.float32], start: float, x: NDArray) -> np.float32:
    with np.errstate(all="ignore"):
        return reduce(operation, x, np.float32(start))


@pytest.mark.parametrize(("name", "operation", "start"), [("sum", np.add, 0), ("prod", np.multiply, 1)])
def test_floats_in_the_order_of_the_folds(name: str, operation: Callable, start: float) -> None:
    """To the bit; merged parts may differ in rounding alone."""
    for x, here in CASES:
        (made,) = ends(name, "f32", x, here)
        expected = in_order(operation, start, x[here])
        np.testing.assert_array_equal(made[0, 0], expected)
        np.testing.assert_allclose(made[1, 0], expected, rtol=1e-5, atol=1e-6)


def test_a_mean_is_the_sum_by_the_count() -> None:
    for x, here in CASES:
        (made,) = ends("mean", "f32", x, here)
        expected = in_order(np.add, 0, x[here]) / np.float32(here.sum()) if here.any() else np.float32(0)
        np.testing.assert_array_equal(made[0, 0], expected)
        np.testing.assert_allclose(made[1, 0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "reducer", "empty"), [("max", np.max, -INFINITY), ("min", np.min, INFINITY)])
def test_extremes(name: str, reducer: Callable, empty: float) -> None:
    """A NaN stays; over nothing the least and the greatest."""
    for x, here in CASES:
        (made,) = ends(name, "f32", x, here)
        expected = reducer(x[here]) if here.any() else empty
        np.testing.assert_array_equal(made[:, 0], [expected, expected])


@pytest.mark.parametrize(("name", "finder"), [("argmax", np.argmax), ("argmin", np.argmin)])
def test_places(name: str, finder: Callable) -> None:
    """Of ties the lower index, the first NaN before all; over nothing -1."""
    cases = [*CASES, (np.round(floats(8)), some(8)), (planted(NAN, NAN), some(9)), (planted(INFINITY), ALL)]
    for x, here in cases:
        (made,) = ends(name, "f32", x, here, gives=["index"], place=True)
        expected = np.flatnonzero(here)[finder(x[here])] if here.any() else ABSENT
        assert made[:, 0].tolist() == [expected, expected]


def integers(seed: int, largest: int) -> NDArray:
    return np.random.default_rng(seed).integers(-largest, largest, COUNT).astype(np.int32)


@pytest.mark.parametrize("type", ["i32", "i64", "index"])
@pytest.mark.parametrize(("name", "operation", "start"), [("sum", np.add, 0), ("prod", np.multiply, 1)])
def test_integers_wrap(name: str, operation: Callable, start: int, type: str) -> None:
    """Of indices results are stored in 32 bits, so only such as fit are tried."""
    largest = {"i32": 2**31 - 1, "i64": 2**31 - 1, "index": 3}[type]
    width = np.int32 if type == "i32" else np.int64
    for seed, here in ((0, ALL), (1, some(1)), (2, NONE)):
        x = integers(seed, largest)
        if type == "index" and name == "prod":
            x = np.sign(x) + 2 * (np.arange(COUNT) % 4 == 0)
        (made,) = ends(name, type, x.astype(np.int32), here)
        with np.errstate(over="ignore"):
            expected = reduce(operation, x[here].astype(width), width(start))
        assert made[:, 0].tolist() == [expected, expected]


@pytest.mark.parametrize("type", ["i32", "i64"])
@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin"])
def test_extremes_of_integers(name: str, type: str) -> None:
    for seed, here in ((3, ALL), (4, some(4)), (5, NONE)):
        x = integers(seed, 4)
        least = np.iinfo(np.int32 if type == "i32" else np.int64)
        if name in ("max", "min"):
            (made,) = ends(name, type, x, here)
            empty = least.min if name == "max" else least.max
            expected = getattr(np, name)(x[here]) if here.any() else empty
        else:
            (made,) = ends(name, type, x, here, gives=["index"], place=True)
            expected = np.flatnonzero(here)[getattr(np, name)(x[here])] if here.any() else ABSENT
        assert made[:, 0].tolist() == [expected, expected]


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("any", lambda given: given.any()),
        ("all", lambda given: given.all()),
        ("max", lambda given: given.any()),
        ("min", lambda given: given.all()),
    ],
)
def test_conditions(name: str, of: Callable[[NDArray], bool]) -> None:
    rows = [np.zeros(COUNT), np.ones(COUNT), np.arange(COUNT) == 4, np.arange(COUNT) != COUNT - 2]
    for x in rows:
        for here in (ALL, NONE, some(6)):
            (made,) = ends(name, "i1", x.astype(np.int32), here)
            expected = bool(of(x.astype(bool)[here]))
            assert made[:, 0].astype(bool).tolist() == [expected, expected]


@pytest.mark.parametrize("type", ["i32", "i64", "index"])
def test_a_count_is_of_conditions_that_hold_and_are_present(type: str) -> None:
    for here in (ALL, NONE, some(7)):
        x = integers(6, 2)
        (made,) = ends("count", type, x, here)
        assert made[:, 0].tolist() == [(x[here] != 0).sum()] * 2


def softmax(x: NDArray) -> NDArray:
    """In doubles, as it is defined: NaN where no exponential is finite."""
    with np.errstate(all="ignore"):
        powers = np.exp(x.astype(np.float64) - x.max())
        return powers / powers.sum()


def test_weighted_sums_of_a_softmax() -> None:
    """Over nothing 0; an element of -inf adds 0, and nothing but such give NaN."""
    for x, here in CASES:
        (made,) = ends("softmax", "f32", x, here, weights=WEIGHTS)
        expected = softmax(x[here]) @ WEIGHT[here].astype(np.float64) if here.any() else np.zeros(WEIGHTS)
        np.testing.assert_allclose(made, [expected, expected], rtol=1e-4, atol=1e-6)


def test_a_softmax_does_not_overflow() -> None:
    """However far apart and in whatever order the values come."""
    x = np.linspace(-2000, 2000, COUNT).astype(np.float32)
    for order in (x, x[::-1].copy(), np.random.default_rng(3).permutation(x)):
        (made,) = ends("softmax", "f32", order, ALL, weights=WEIGHTS)
        expected = WEIGHT[np.argmax(order)]
        np.testing.assert_allclose(made, [expected, expected], rtol=1e-5)


def test_a_normalizer_gives_what_softmax_subtracts_and_divides_by() -> None:
    for x, here in CASES:
        largest, total = ends("normalizer", "f32", x, here, gives=["f32", "f32"])
        expected = x[here].max() if here.any() else -INFINITY
        np.testing.assert_array_equal(largest[:, 0], [expected, expected])
        if not here.any():
            assert total[:, 0].tolist() == [0, 0]
            continue
        with np.errstate(all="ignore"):
            shares = np.exp(x[here] - largest[0, 0]) / total[0, 0]
            again = np.exp(x[here] - largest[1, 0]) / total[1, 0]
        np.testing.assert_allclose(shares, softmax(x[here]), rtol=1e-5)
        np.testing.assert_allclose(again, softmax(x[here]), rtol=1e-5)


def test_every_combiner_that_has_a_builder_is_tried() -> None:
    """Here, or (`fixed_sum`) in a file of its own."""
    tried = {
        "sum",
        "fixed_sum",
        "prod",
        "mean",
        "max",
        "min",
        "argmax",
        "argmin",
        "any",
        "all",
        "count",
        "softmax",
        "normalizer",
    }
    assert tried | {"queue", "fixed_sum"} == set(COMBINERS)
