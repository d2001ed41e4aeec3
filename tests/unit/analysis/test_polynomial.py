"""Closed forms add, multiply and evaluate like the polynomials that they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetc.passes.analysis.polynomial import Polynomial

DIMS = {"B": 3.0, "T": 7.0}
POLYNOMIALS = st.recursive(
    st.one_of(st.sampled_from(["B", "T"]), st.integers(-3, 3)).map(Polynomial.of),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: pair[0] + pair[1]),
        st.tuples(inner, inner).map(lambda pair: pair[0] * pair[1]),
    ),
    max_leaves=6,
)


@given(POLYNOMIALS, POLYNOMIALS)
def test_sum_and_product_evaluate_to_those_of_the_values(left: Polynomial, right: Polynomial) -> None:
    assert (left + right).evaluate(DIMS) == pytest.approx(left.evaluate(DIMS) + right.evaluate(DIMS))
    assert (left * right).evaluate(DIMS) == pytest.approx(left.evaluate(DIMS) * right.evaluate(DIMS))


def test_text_names_each_dim_once_with_its_power() -> None:
    form = Polynomial.of("T") * "B" * "T" * 128 + Polynomial.of("B") + 2.5
    assert str(form) == "128 B T^2 + B + 2.5"
    assert str(Polynomial()) == "0"


def test_a_missing_dim_is_named() -> None:
    with pytest.raises(KeyError, match="T"):
        (Polynomial.of("T") * 2).evaluate({"B": 1})


def test_cancelling_terms_vanish() -> None:
    assert not Polynomial.of("T") + Polynomial.of("T") * -1
