"""Compiled kernels and the caller's own tensors: what a GPU reads where it lies, what is kept, and torch's modes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch

from hetc.runtime.errors import InputError
from tests.unit.embedding.pipelines import stack, totals

RNG = np.random.default_rng(3)
X = RNG.integers(-3, 4, (3, 4)).astype(np.float32)
W = RNG.integers(-2, 3, (2, 4, 4)).astype(np.float32)
GAIN = np.array([1, 2, -1, 0.5], np.float32)


def expected(x: np.ndarray, weight: np.ndarray, gain: np.ndarray) -> np.ndarray:
    return (x * gain) @ weight[0] @ weight[1]


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HETC_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def moved() -> Iterator[list[str]]:
    """The tensors that moved between devices."""
    found: list[str] = []
    stack.program.on_transfer = lambda item: found.append(item.tensor)
    yield found
    stack.program.on_transfer = None


def test_a_tensor_on_the_gpu_is_used_where_it_lies(moved: list[str]) -> None:
    """The emulated GPU's memory is the host's, where torch's CPU tensors lie."""
    x, weight, gain = torch.tensor(X[:2]), torch.tensor(W), torch.tensor(GAIN, dtype=torch.bfloat16)
    state = stack.new_state()
    for factor in (1, 3):
        np.testing.assert_array_equal(stack(state, x=x, W=weight, gain=gain), expected(X[:2], factor * W, GAIN))
        weight *= 3
    assert not {"W", "gain"} & set(moved)
    assert torch.equal(x, torch.tensor(X[:2])) and torch.equal(weight, torch.tensor(9 * W))
    stack(state, x=x, W=W, gain=GAIN)
    assert moved.count("W") == 2 and moved.count("gain") == 1


def test_what_a_kernel_cannot_read_where_it_lies_is_copied_and_right(moved: list[str]) -> None:
    state = stack.new_state()
    turned = torch.tensor(W.transpose(0, 2, 1).copy()).transpose(1, 2)
    negated = torch.view_as_complex(torch.tensor(np.stack([W, -W], -1))).conj().imag
    wide = torch.tensor(np.concatenate([W, W], 2))[:, :, :4]
    for weight in (turned, negated, wide):
        found = stack(state, x=X, W=weight, gain=torch.tensor(GAIN))
        np.testing.assert_array_equal(found, expected(X, W, GAIN))
    assert moved.count("W") == 6 and moved.count("gain") == 3


def test_frozen_weights_are_shared_by_states_and_layers(moved: list[str]) -> None:
    weight = W.copy()
    stack.freeze(W=weight, gain=torch.tensor(GAIN, dtype=torch.bfloat16))
    try:
        weight *= 2
        for _ in range(2):
            np.testing.assert_array_equal(stack(stack.new_state(), x=X), expected(X, W, GAIN))
        assert moved.count("W") == 2 and not moved.count("gain")
        with pytest.raises(InputError, match="weight 'gain' is frozen"):
            stack(stack.new_state(), x=X, gain=-GAIN)
    finally:
        stack.unfreeze()
    np.testing.assert_array_equal(stack(stack.new_state(), x=X, W=weight, gain=GAIN), expected(X, 2 * W, GAIN))


@pytest.mark.parametrize("made", [nullcontext, torch.inference_mode, torch.no_grad])
def test_a_state_lives_in_and_outside_of_torchs_modes(made: Any) -> None:
    """Memories, and what a call allocates, are written by later calls in whatever mode these are."""
    with made():
        state = totals.new_state(B=2, T=8)
        totals(state, q=torch.ones(2, 4), k=torch.full((2, 4), 3.0))
    for number, mode in enumerate((nullcontext, torch.inference_mode, torch.enable_grad, torch.no_grad), 1):
        with mode():
            rows = torch.full((2, 4), float(number), requires_grad=mode is not torch.inference_mode)
            total = totals(state, q=torch.ones(2, 4), k=rows)
            assert not total.requires_grad
    np.testing.assert_array_equal(state.read("keys")[0, :, 0], [3, 1, 2, 3, 4])
    np.testing.assert_array_equal(total, np.full((2, 4), 1 + 3 + 1 + 2 + 3 + 4))


@pytest.mark.parametrize("made", [nullcontext, torch.inference_mode])
def test_a_row_of_a_bound_memory_is_read_as_it_was_before_the_step(made: Any) -> None:
    state = totals.new_state(B=1, T=4)
    with made():
        pool = torch.zeros(1, 4, 4)
        pool[0, 0], pool[0, 1] = 5, 7
    state.bind(keys=pool, lengths=1)
    total = totals(state, q=pool[:, 1], k=torch.full((1, 4), 20.0))
    np.testing.assert_array_equal(pool[0, :, 0], [5, 20, 0, 0])
    np.testing.assert_array_equal(total, np.full((1, 4), 7 + 5 + 20))
