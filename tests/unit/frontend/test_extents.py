"""Where an index takes its extent from, and what is said when places disagree."""

from __future__ import annotations

import pytest

from hetc.dialects.mp import ComputeOp, RangeAttr, ReduceOp, SoftmaxOp
from tests.unit.frontend.support import errors_of, program, statements_of


def ranges_of(statement: str, output: str = "z") -> list[tuple[str, int | str, int | None]]:
    (op,) = statements_of(statement, output)
    assert isinstance(op, ComputeOp | SoftmaxOp)
    return [(item.index.data, item.extent_key, item.per_position) for item in map(Range, op.ranges)]


class Range:
    """A range with its extent as a Python value."""

    def __init__(self, item: RangeAttr):
        from hetc.dialects.mp import extent_key

        self.index, self.extent_key, self.per_position = item.index, extent_key(item.extent), item.per_position


def reductions_of(statement: str) -> list[tuple[str, int | str]]:
    (op,) = statements_of(statement, "z")
    found = [Range(nested.range) for nested in op.walk() if isinstance(nested, ReduceOp)]
    return [(item.index.data, item.extent_key) for item in found]


def test_an_extent_comes_from_the_dim_indexed_alone() -> None:
    assert ranges_of("z[b, d] = x[b, d]") == [("b", "B", None), ("d", 4, None)]
    assert ranges_of("z[i] = x[i, n[2]] + y[1, 2]") == [("i", "B", None)]


def test_also_inside_of_another_index() -> None:
    assert ranges_of("z[i] = x[0, n[i]]") == [("i", 4, None)]


def test_a_bound_decides_where_it_fits() -> None:
    assert ranges_of("z[d < 2] = x[0, d]") == [("d", 2, None)]
    assert ranges_of("z[d < D - 1] = x[0, d + 1]") == [("d", 3, None)]
    assert reductions_of("z = sum[i < 2](n[i])") == [("i", 2)]
    assert reductions_of("z = sum[t < 5](keys[0, t, 0])") == [("t", 5)]


def test_a_dim_per_row_finds_its_row() -> None:
    assert ranges_of("z[b, t] = keys[b, t, 0]") == [("b", "B", None), ("t", "T", 0)]
    assert ranges_of("z[d, b, t] = keys[b, t, d]") == [("d", 4, None), ("b", "B", None), ("t", "T", 1)]
    assert ranges_of("z[b, t < T] = x[b, 0] * t") == [("b", "B", None), ("t", "T", 0)]
    (op,) = statements_of("z[b] = sum[t](keys[b, t, 0])", "z")
    (reduce,) = (nested for nested in op.walk() if isinstance(nested, ReduceOp))
    assert isinstance(op, ComputeOp) and reduce.per is op.body.block.args[0]


def test_siblings_may_use_one_name_for_different_extents() -> None:
    assert reductions_of("z = sum[i](x[0, i]) + sum[i](y[0, i])") == [("i", 4), ("i", 6)]


def test_several_indices_nest() -> None:
    assert reductions_of("z = sum[d, e](y[d, e])") == [("d", 4), ("e", 6)]


@pytest.mark.parametrize(
    ("statement", "code", "words"),
    [
        ("z = sum[i](x[0, i] * y[0, i])", "HET104", "the extent 4 and the extent 6"),
        ("z[i] = x[0, i] * y[0, i]", "HET104", "the extent 4 and the extent 6"),
        ("z[i] = x[i, 0] * n[i]", "HET104", "the extent B and the extent 4"),
        ("z[i < 5] = n[i]", "HET104", "goes up to 5, past dim 1 of `n`"),
        ("z[i] = n[i + 1]", "HET103", "no extent"),
        ("z = sum[i](1)", "HET103", "no extent"),
        ("z[t, b] = keys[b, t, 0]", "HET107", "must stand before"),
        ("z[t] = keys[0, t, 0]", "HET107", "this row is computed"),
        ("z[b, t] = keys[n[0] * b, t, 0]", "HET107", "this row is computed"),
        ("z[b, c, t] = keys[b, t, 0] * keys[c, t, 0]", "HET104", "runs over the rows of both"),
        (
            "z[b, t] = keys[b, t, 0] - sum[b](keys[b, t, 0])",
            "HET104",
            "two indices named `b`, an outer and an inner one",
        ),
        ("z[d] = sum[d](n[d])", "HET103", "no extent"),
        ("z[d, d] = n[d]", "HET101", "already in use"),
        ("z[i < B] = T[2]", "HET107", "takes one index"),
        ("z = D[0]", "HET105", "one value"),
        ("z[b, c] = x[b, 0] * x[c, 0] * T", "HET107", "several are in scope"),
        ("z = sum[i < 1.5](n[i])", "HET102", "integer"),
        ("z = sum[i < q](n[i])", "HET100", "unknown dim `q`"),
    ],
)
def test_refused(statement: str, code: str, words: str) -> None:
    (error,) = errors_of(program(statement, "x"))
    assert (error.code, words in error.message) == (code, True), str(error)


def test_a_disagreement_names_both_places() -> None:
    (error,) = errors_of(program("z = sum[i](x[0, i] * y[0, i])", "x"))
    assert error.span is not None and error.span.text == "i"
    (related,) = error.related
    assert related.span.start < error.span.start and "`x`" in related.message and "`y`" in error.label
