"""Plans of steps: what a line of one does, when they are worked out anew, and what they hold on to."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

from hetc.runtime.errors import InputError, ProgramError
from hetc.runtime.host import Dim, HostProgram, Pipeline, PlanBuilder, State, Step, Tensor


class Moves(HostProgram):
    """y = x as it was before a kernel overwrote its buffer."""

    PIPELINE = Pipeline(
        name="moves",
        source="moves.mp",
        dims={"B": Dim(bound=8)},
        tensors={"x": Tensor("input", ("B", 3), "f32")},
        steps={"move": Step(grows={}, takes=("x",), gives=("y",))},
        devices=("alpha", "beta"),
    )
    KERNELS = {"alpha": ("clear",)}
    METHODS = {"move": "move"}
    PLANS = {"move": "_move_plan"}

    def move(self, state: State, lengths: Any = None, /, **tensors: Any) -> dict[str, Any]:
        return self.call("move", state, lengths, tensors)

    def _move_plan(self, plan: PlanBuilder) -> None:
        here = plan.allocate("here", "alpha", ("B", 3), "f32")
        plan.store(plan.copy(plan.input("x"), "alpha", "x_alpha"), here)
        kept = plan.copy(here, "alpha", "kept")
        with plan.kernel("clear", "alpha", [], [here]):
            plan.launch("alpha", "clear", [here])
        plan.finish({"y": kept})


class Ones(HostProgram):
    """As many ones as the caller says."""

    PIPELINE = Pipeline(
        name="ones",
        source="ones.mp",
        dims={"N": Dim(bound=8)},
        tensors={},
        steps={"count": Step(grows={}, takes=(), gives=("y",))},
        devices=("alpha", "beta"),
    )
    KERNELS = {"alpha": ("fill",)}
    METHODS = {"count": "count"}
    PLANS = {"count": "_count_plan"}

    def count(self, state: State, lengths: Any = None, /, **tensors: Any) -> dict[str, Any]:
        return self.call("count", state, lengths, tensors)

    def _count_plan(self, plan: PlanBuilder) -> None:
        y = plan.allocate("y", "alpha", ("N",), "i32")
        with plan.kernel("fill", "alpha", [], [y]):
            plan.launch("alpha", "fill", [y, plan.length("N", "alpha")])
        plan.finish({"y": y})


def test_a_length_that_no_tensor_says(demo: Any) -> None:
    program = Ones.__new__(Ones)
    program.__dict__.update(demo.__dict__)
    program.devices["alpha"].functions = {"fill": lambda y, length: y[: length[0]].fill(1)}  # type: ignore[attr-defined]
    state = program.new_state()
    for _ in range(2):
        for length in (3, 5, 2):
            assert program.count(state, {"N": length})["y"].tolist() == [1] * length
        with pytest.raises(InputError, match="dim N: no tensor says how long it is; give it in `lengths`"):
            program.count(state)


@pytest.fixture
def moves(demo: Any) -> Moves:
    program = Moves.__new__(Moves)
    program.__dict__.update(demo.__dict__)
    program.devices["alpha"].functions = {"clear": lambda here: here.fill(0)}  # type: ignore[attr-defined]
    return program


def test_a_copy_on_the_same_device_is_one(moves: Moves) -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(moves.move(moves.new_state(), x=x)["y"].numpy(), x)


class Exchange(HostProgram):
    """one, two = two, one."""

    PIPELINE = Pipeline(
        name="exchange",
        source="exchange.mp",
        dims={},
        tensors={name: Tensor("memory", (2,), "f32", home="alpha") for name in ("one", "two")},
        steps={"swap": Step(grows={}, takes=(), gives=())},
        devices=("alpha", "beta"),
    )
    METHODS = {"swap": "swap"}
    PLANS = {"swap": "_swap_plan"}
    KERNELS: dict[str, tuple[str, ...]] = {}

    def swap(self, state: State, lengths: Any = None, /, **tensors: Any) -> dict[str, Any]:
        return self.call("swap", state, lengths, tensors)

    def _swap_plan(self, plan: PlanBuilder) -> None:
        one, two = plan.memory("one"), plan.memory("two")
        plan.commit("one", two)
        plan.commit("two", one)
        plan.finish({})


@pytest.mark.parametrize("bound", [(), ("one",), ("one", "two")])
def test_memories_take_each_others_contents(demo: Any, bound: tuple[str, ...]) -> None:
    """Also those whose buffers are written in place."""
    program = Exchange.__new__(Exchange)
    program.__dict__.update(demo.__dict__)
    state = program.new_state()
    for name in bound:
        state.dense[name].bound = True
    state.load("one", np.array([1, 2], np.float32))
    state.load("two", np.array([3, 4], np.float32))
    for first, second in (([3, 4], [1, 2]), ([1, 2], [3, 4])):
        program.swap(state)
        assert (state.read("one").tolist(), state.read("two").tolist()) == (first, second)


def test_one_plan_for_calls_of_the_same_shapes(moves: Moves, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[tuple[int, ...]] = []
    plan_of = Moves._move_plan

    def counted(self: Moves, plan: PlanBuilder) -> None:
        built.append(plan.input("x").shape)
        plan_of(self, plan)

    monkeypatch.setattr(Moves, "_move_plan", counted)
    state, other = moves.new_state(), moves.new_state()
    rng = np.random.default_rng(0)
    for rows in (5, 5, 2, 2, 5):
        x = rng.normal(size=(rows, 3)).astype(np.float32)
        np.testing.assert_array_equal(moves.move(state, x=x)["y"].numpy(), x)
    assert built == [(5, 3), (2, 3)]
    moves.move(state, x=np.zeros((6, 3), np.float32))  # more rows than buffers had room for
    moves.move(state, x=np.zeros((5, 3), np.float32))
    moves.move(other, x=np.zeros((5, 3), np.float32))
    assert built[2:] == [(6, 3), (5, 3), (5, 3)]


def test_what_is_frozen_is_of_the_plan(demo: Any) -> None:
    x, weight = np.ones((1, 3), np.float32), np.ones(3, np.float32)
    state = demo.new_state(B=1, T=8)
    totals = [demo.decode(state, x=x, W=weight)["total"].item()]
    demo.freeze(W=2 * weight)
    totals.append(demo.decode(state, x=x)["total"].item())
    demo.unfreeze()
    totals.append(demo.decode(state, x=x, W=3 * weight)["total"].item())
    assert np.diff([0, *totals]).tolist() == [3, 9, 18]


def test_between_calls_neither_tensors_nor_states_are_held(demo: Any) -> None:
    state = demo.new_state(B=1, T=8)
    x = np.ones((1, 3), np.float32)
    demo.decode(state, x=x, W=np.ones(3, np.float32))
    given, kept = weakref.ref(x), weakref.ref(state)
    gc.disable()
    try:
        del x, state
        assert given() is None and kept() is None
    finally:
        gc.enable()


def test_a_program_that_does_not_finish(moves: Moves, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Moves, "_move_plan", lambda self, plan: None)
    with pytest.raises(ProgramError, match=r"'_move_plan' of the host program does not end with plan\.finish"):
        moves.move(moves.new_state(), x=np.zeros((1, 3), np.float32))
