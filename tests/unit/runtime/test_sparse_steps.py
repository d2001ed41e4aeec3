"""A sparse memory in steps: columns appended, undone by a failure, and only touched parts moved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hetc.runtime.errors import CapacityError, DeviceError, InputError
from hetc.runtime.host import Dim, HostProgram, Pipeline, PlanBuilder, State, Step, Tensor

ROWS = 40


class Search(HostProgram):
    """append(tf, docs); how often each of Q row numbers stands in each column."""

    PIPELINE = Pipeline(
        name="search",
        source="search.mp",
        dims={"M": Dim(bound=16), "N": Dim(bound=64)},
        tensors={
            "docs": Tensor("input", ("M", 4), "i32"),
            "query": Tensor("input", (), "i32"),
            "tf": Tensor("memory", (ROWS, "N"), "u8", home="alpha", stored_bound=100),
        },
        steps={"add": Step(grows={"N": "M"}, takes=("docs", "query"), gives=("found",))},
        devices=("alpha", "beta"),
    )
    KERNELS = {"alpha": ("look_up",)}
    METHODS = {"add": "add"}
    PLANS = {"add": "_add_plan"}

    def add(self, state: State, lengths: Any = None, /, **tensors: Any) -> dict[str, Any]:
        return self.call("add", state, lengths, tensors)

    def _add_plan(self, plan: PlanBuilder) -> None:
        tf = plan.append(plan.memory("tf"), plan.input("docs"), "N")
        query = plan.copy(plan.input("query"), "alpha", "query_alpha")
        found = plan.allocate("found", "alpha", ("N",), "i32")
        parts = [plan.part(tf, name) for name in ("row_start", "row_length", "column", "value")]
        with plan.kernel("look_up", "alpha", [query, tf], [found]):
            plan.launch("alpha", "look_up", [query, *parts, found])
        plan.commit("tf", tf)
        plan.finish({"found": found})


def look_up(query: Any, start: Any, length: Any, column: Any, value: Any, found: Any) -> None:
    found[:] = 0
    first, count = int(start[query[0]]), int(length[query[0]])
    found[column[first : first + count]] = value[first : first + count]


@pytest.fixture
def search(demo: Any, tmp_path: Any) -> Search:
    program = Search.__new__(Search)
    program.__dict__.update(demo.__dict__)
    program.devices["alpha"].functions = {"look_up": look_up}  # type: ignore[attr-defined]
    return program


def columns(docs: np.ndarray) -> np.ndarray:
    dense = np.zeros((ROWS, len(docs)), np.int64)
    for number, terms in enumerate(docs):
        np.add.at(dense[:, number], terms[terms >= 0], 1)
    return dense


def test_appended_columns_are_searched_in_the_same_step(search: Search) -> None:
    rng = np.random.default_rng(0)
    state, dense = search.new_state(N=40), np.zeros((ROWS, 0), np.int64)
    for count in (3, 0, 5, 1):
        docs = rng.integers(-1, ROWS, (count, 4)).astype(np.int32)
        query = int(docs[0, 0]) if count else 0
        dense = np.concatenate([dense, columns(docs)], axis=1)
        found = search.add(state, docs=docs, query=np.array(max(query, 0)))["found"]
        np.testing.assert_array_equal(found.numpy(), dense[max(query, 0)])
    np.testing.assert_array_equal(state.read("tf"), dense)
    assert state.lengths["N"].tolist() == [9]


def test_a_failed_step_undoes_its_columns(search: Search) -> None:
    state = search.new_state(N=40)
    docs = np.array([[1, 1, 2, -1]], np.int32)
    search.add(state, docs=docs, query=np.array(1))
    search.devices["alpha"].failing = "look_up"  # type: ignore[attr-defined]
    with pytest.raises(DeviceError):
        search.add(state, docs=np.array([[1, 2, 3, 4]] * 9, np.int32), query=np.array(1))
    search.devices["alpha"].failing = ""  # type: ignore[attr-defined]
    assert state.lengths["N"].tolist() == [1]
    np.testing.assert_array_equal(state.read("tf"), columns(docs))
    found = search.add(state, docs=np.array([[5, 1, 5, 5]], np.int32), query=np.array(5))["found"]
    assert found.tolist() == [0, 3]
    assert search.add(state, docs=np.zeros((0, 4), np.int32), query=np.array(1))["found"].tolist() == [2, 1]


def test_too_many_stored_entries_leave_the_state(search: Search) -> None:
    state = search.new_state(N=64)
    full = np.arange(64, dtype=np.int32).reshape(16, 4) % ROWS
    search.add(state, docs=full, query=np.array(0))
    with pytest.raises(CapacityError, match="memory 'tf': 128 stored entries exceed its bound 100"):
        search.add(state, docs=full, query=np.array(0))
    assert state.lengths["N"].tolist() == [16]
    np.testing.assert_array_equal(state.read("tf"), columns(full))


def test_only_touched_parts_move(search: Search) -> None:
    state = search.new_state(N=64)
    rng = np.random.default_rng(1)
    search.add(state, docs=rng.integers(0, ROWS, (16, 4)), query=np.array(0))
    moved: list[Any] = []
    search.on_transfer = moved.append
    search.add(state, docs=np.array([[7, 7, 9, -1]], np.int32), query=np.array(7))
    length = state.sparse["tf"].matrix.row_length
    entries = int(length[7] + length[9])
    assert [item.bytes_moved for item in moved if item.tensor == "tf"] == [2 * 12 + entries * 5]


def test_loading_dense_contents_or_entries(search: Search) -> None:
    state = search.new_state(N=64)
    dense = columns(np.array([[1, 1, 3, 0], [3, 3, 3, 3]]))
    state.load("tf", dense)
    np.testing.assert_array_equal(state.read("tf"), dense)
    row, column = np.nonzero(dense)
    other = search.new_state(N=64)
    other.load("tf", (row, column, dense[row, column]), lengths=2)
    np.testing.assert_array_equal(other.read("tf"), dense)
    assert other.lengths["N"].tolist() == [2]


def test_loading_columns_by_their_row_numbers(search: Search) -> None:
    docs = np.array([[1, 1, 3, -1], [3, 3, 3, 3]])
    state = search.new_state(N=64)
    state.load_columns("tf", docs)
    np.testing.assert_array_equal(state.read("tf"), columns(docs))


@pytest.mark.parametrize(
    ("row", "column", "message"),
    [([0, ROWS], [0, 0], rf"entry \({ROWS}, 0\) lies outside"), ([1, 1], [0, 0], "an entry is given twice")],
)
def test_wrong_entries_are_refused(search: Search, row: list[int], column: list[int], message: str) -> None:
    state = search.new_state(N=64)
    with pytest.raises(InputError, match=message):
        state.load("tf", (np.array(row), np.array(column), np.ones(2, np.int64)), lengths=1)
    assert state.lengths["N"].tolist() == [0]
