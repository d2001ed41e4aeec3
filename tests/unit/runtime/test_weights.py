"""Weights are read as they are at each call; frozen ones are copied once, and no other values pass for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from hetc.runtime.errors import CapacityError, InputError
from hetc.runtime.weights import FrozenWeights

W = np.array([1.0, -2.0, 0.5], np.float32)
X = np.ones((1, 3), np.float32)


@pytest.fixture
def row(demo: Any) -> Callable[..., list[float]]:
    """What the pipeline appends to `keys` for a row of ones: the weight that it read."""

    def call(**weights: Any) -> list[float]:
        state = demo.new_state(B=1, T=1)
        demo.decode(state, x=X, **weights)
        return state.read("keys")[0, 0].tolist()

    return call


@pytest.fixture
def moves(demo: Any) -> Callable[..., int]:
    """How often the weight moves in a call."""
    state, seen = demo.new_state(B=1, T=32), []
    demo.on_transfer = lambda item: seen.append(item.tensor)

    def call(**weights: Any) -> int:
        seen.clear()
        demo.decode(state, x=X, **weights)
        return seen.count("W")

    return call


def _through_its_data(weight: torch.Tensor) -> None:
    weight.data.copy_(2 * weight)


def _new_data(weight: torch.Tensor) -> None:
    weight.data = 2 * weight


def _in_place(weight: torch.Tensor) -> None:
    with torch.no_grad():
        weight.mul_(2)


def _through_numpy(weight: torch.Tensor) -> None:
    weight.detach().numpy()[:] *= 2


def _in_inference_mode(weight: torch.Tensor) -> None:
    with torch.inference_mode():
        weight.mul_(2)


@pytest.mark.parametrize(
    "change",
    [_through_its_data, _new_data, _in_place, _through_numpy, _in_inference_mode],
    ids=lambda item: item.__name__,
)
def test_a_torch_weight_that_changed_is_read_again(row: Any, change: Callable[[torch.Tensor], None]) -> None:
    weight = torch.nn.Parameter(torch.tensor(W))
    assert row(W=weight) == W.tolist()
    change(weight)
    assert row(W=weight) == (2 * W).tolist()


def test_a_numpy_weight_that_changed_is_read_again(row: Any) -> None:
    base = np.tile(W, (2, 1))
    shared, view = torch.from_numpy(base[0]), base[1, ::-1][::-1]
    assert row(W=shared) == row(W=view) == W.tolist()
    base *= 2
    assert row(W=shared) == row(W=view) == (2 * W).tolist()
    assert row(W=base[0]) == (2 * W).tolist()


def test_weights_of_inference_mode(row: Any) -> None:
    with torch.inference_mode():
        weight = torch.tensor(W) * 1
        assert row(W=weight) == W.tolist()
        weight += 1
    assert row(W=weight) == (W + 1).tolist()


def test_a_frozen_weight_moves_once_for_all_states_and_may_be_left_out(demo: Any, row: Any, moves: Any) -> None:
    assert [moves(W=W), moves(W=W)] == [1, 1]
    demo.freeze()
    demo.freeze("W")
    assert demo.frozen == ("W",)
    assert [moves(W=W), moves(W=W.copy()), moves()] == [1, 0, 0]
    assert row() == W.tolist()
    demo.unfreeze()
    assert demo.frozen == ()
    with pytest.raises(InputError, match="tensor 'W' is missing"):
        moves()
    assert row(W=3 * W) == (3 * W).tolist()


def test_freezing_takes_a_copy(demo: Any, row: Any) -> None:
    weight = torch.tensor(W)
    demo.freeze(W=weight)
    weight.mul_(2)
    assert row() == W.tolist()
    with pytest.raises(
        InputError, match=r"weight 'W' is frozen, and what is given holds other values.*unfreeze\('W'\)"
    ):
        row(W=weight)
    with pytest.raises(InputError, match="is frozen, and what is given holds other values"):
        demo.freeze(W=weight)
    assert row(W=W) == row() == W.tolist()
    demo.unfreeze("W")
    demo.freeze(W=weight)
    assert row() == (2 * W).tolist()


def test_frozen_by_name_the_next_call_says_the_values(demo: Any, row: Any) -> None:
    assert row(W=W) == W.tolist()
    demo.freeze("W")
    with pytest.raises(InputError, match="tensor 'W' is missing"):
        row()
    with pytest.raises(CapacityError):  # a call that is refused says nothing
        demo.decode(demo.new_state(B=1, T=1), x=np.ones((2, 3), np.float32), W=W)
    assert row(W=2 * W) == row() == (2 * W).tolist()


def test_bits_are_compared(demo: Any, row: Any) -> None:
    weight = np.array([np.nan, 0.0, 1.0], np.float32)
    demo.freeze(W=weight)
    row(W=weight)
    with pytest.raises(InputError, match="other values"):
        row(W=np.array([np.nan, -0.0, 1.0], np.float32))


@pytest.mark.parametrize(
    ("names", "weights", "message"),
    [
        (("w",), {}, r"there is no weight 'w'; did you mean 'W'\?"),
        ((), {"V": W}, "there is no weight 'V'; pipeline 'demo' has the weights W"),
        (("x",), {}, "'x' is declared as input, not as weight; pipeline 'demo' has the weights W"),
        (("keys",), {}, "'keys' is declared as memory"),
        ((W,), {}, r"expected the name of a weight, got ndarray; values are given as in freeze\(W=tensor\)"),
        ((), {"W": W[:2]}, r"tensor 'W': expected \[3\], got \[2\]"),
        ((), {"W": W[None]}, "tensor 'W': expected 1 dims"),
        ((), {"W": W.astype(np.float64)}, "tensor 'W': expected f32, got float64"),
    ],
)
def test_what_cannot_be_frozen(demo: Any, names: Any, weights: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        demo.freeze(*names, **weights)
    assert demo.frozen == ()
    if names:
        with pytest.raises(InputError, match=message):
            demo.unfreeze(*names)


def test_a_program_without_weights(demo: Any) -> None:
    tensors = {name: spec for name, spec in demo.PIPELINE.tensors.items() if spec.role != "weight"}
    frozen = FrozenWeights(replace(demo.PIPELINE, tensors=tensors))
    frozen.freeze(frozen.checked(()))
    assert frozen.names == ()
    with pytest.raises(InputError, match="there is no weight 'W'; pipeline 'demo' has none"):
        frozen.checked(("W",))
