"""A step takes effect as a whole or not at all; only what a device lacks moves to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from hetc.runtime.errors import CapacityError, DeviceError, InputError, StateError

W = np.array([1.0, -2.0, 0.5], np.float32)
KEY_BYTES = 3 * 4


def draw(rng: np.random.Generator, rows: int) -> np.ndarray:
    return rng.integers(-4, 5, (rows, 3)).astype(np.float32)


def snapshot(state: Any) -> tuple[Any, ...]:
    return (
        state.read("keys").tobytes(),
        state.read("total").tobytes(),
        {name: values.tolist() for name, values in state.lengths.items()},
        dict(state.calls),
    )


def test_ragged_rows_grow_each_at_its_own_end(demo: Any, twin: Any) -> None:
    rng = np.random.default_rng(1)
    keys = rng.integers(-4, 5, (3, 7, 3)).astype(np.float32)
    state = demo.new_state(B=3, T=12)
    state.load("keys", keys, lengths=[2, 0, 7])
    reference = twin([2, 0, 7], keys)
    for _ in range(4):
        x = draw(rng, 3)
        result = demo.decode(state, x=x, W=W)
        np.testing.assert_array_equal(result["total"].numpy(), reference.decode(x, W))
    assert state.lengths["T"].tolist() == [6, 4, 11]
    assert state.calls == {"decode": 4}
    read = state.read("keys")
    for row, values in enumerate(reference.keys):
        np.testing.assert_array_equal(read[row, : len(values)], values)
        assert not read[row, len(values) :].any()


def test_rows_of_the_batch_that_a_call_leaves_out_keep_their_lengths(demo: Any, twin: Any) -> None:
    rng = np.random.default_rng(2)
    state, reference = demo.new_state(B=4, T=8), twin([0] * 4, np.zeros((4, 0, 3)))
    for rows in (4, 2, 3, 1):
        x = draw(rng, rows)
        result = demo.decode(state, x=x, W=W)
        assert result["total"].shape == (rows,)
        np.testing.assert_array_equal(result["total"].numpy(), reference.decode(x, W))
    assert state.lengths["T"].tolist() == [4, 3, 2, 1]


def test_growth_to_the_capacity_and_one_step_more(demo: Any) -> None:
    state = demo.new_state(B=2, T=3)
    x = np.ones((2, 3), np.float32)
    for _ in range(3):
        demo.decode(state, x=x, W=W)
    before = snapshot(state)
    with pytest.raises(CapacityError, match=r"dim T of row 0 would be 4 long.*capacity 3.*memory keys"):
        demo.decode(state, x=x, W=W)
    assert snapshot(state) == before


def test_the_bound_of_a_dim_limits_a_state(demo: Any) -> None:
    with pytest.raises(CapacityError, match="T=33: expected 1 to 32"):
        demo.new_state(B=1, T=33)
    state = demo.new_state(B=1, T=32)
    state.set_lengths(T=32)
    with pytest.raises(CapacityError, match="past its bound 32"):
        demo.decode(state, x=np.ones((1, 3), np.float32), W=W)


@pytest.mark.parametrize("failing", ["scale", "sum"])
def test_a_failed_step_leaves_the_state_as_it_was(demo: Any, twin: Any, failing: str) -> None:
    rng = np.random.default_rng(3)
    state, reference = demo.new_state(B=2, T=8), twin([0, 0], np.zeros((2, 0, 3)))
    x = draw(rng, 2)
    reference.decode(x, W)
    demo.decode(state, x=x, W=W)
    before = snapshot(state)
    for device in demo.devices.values():
        device.failing = failing
    with pytest.raises(DeviceError, match=failing):
        demo.decode(state, x=draw(rng, 2), W=W)
    assert snapshot(state) == before
    for device in demo.devices.values():
        device.failing = ""
    x = draw(rng, 2)
    result = demo.decode(state, x=x, W=W)
    np.testing.assert_array_equal(result["total"].numpy(), reference.decode(x, W))


def test_rows_copied_by_a_failed_step_are_copied_again(demo: Any, twin: Any) -> None:
    """The copy on the other device had the failed step's row; the next step's row has other contents."""
    state, reference = demo.new_state(B=1, T=8), twin([0], np.zeros((1, 0, 3)))
    demo.devices["beta"].failing = "sum"
    with pytest.raises(DeviceError):
        demo.decode(state, x=np.full((1, 3), 7, np.float32), W=W)
    demo.devices["beta"].failing = ""
    x = np.ones((1, 3), np.float32)
    np.testing.assert_array_equal(demo.decode(state, x=x, W=W)["total"].numpy(), reference.decode(x, W))


def test_only_missing_rows_move(demo: Any) -> None:
    rng = np.random.default_rng(4)
    state = demo.new_state(B=2, T=20)
    state.load("keys", rng.standard_normal((2, 10, 3)).astype(np.float32), lengths=[10, 4])
    moved: list[Any] = []
    demo.on_transfer = moved.append

    def keys_moved(rows: int) -> int:
        moved.clear()
        demo.decode(state, x=draw(rng, rows), W=W)
        return sum(item.bytes_moved for item in moved if item.tensor == "keys")

    assert keys_moved(2) == (11 + 5) * KEY_BYTES  # the copy has nothing yet
    assert keys_moved(2) == 2 * KEY_BYTES
    assert keys_moved(1) == 1 * KEY_BYTES
    state.load("keys", np.zeros((2, 3, 3), np.float32))
    assert keys_moved(2) == (4 + 4) * KEY_BYTES  # other contents: all again


def test_kernels_are_shown_with_what_they_received(demo: Any) -> None:
    seen: list[Any] = []
    demo.on_kernel = seen.append
    state = demo.new_state(B=2, T=4)
    x = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    demo.decode(state, x=x, W=W)
    assert [(item.kernel, item.device) for item in seen] == [("scale", "alpha"), ("sum", "beta")]
    np.testing.assert_array_equal(seen[0].inputs[0], x)
    np.testing.assert_array_equal(seen[0].outputs[0], x * W)
    assert seen[1].inputs[0].shape == (2, 1, 3)
    assert seen[1].lengths["B"] == 2
    assert seen[1].lengths["T"].tolist() == [1, 1]


def test_states_do_not_disturb_each_other(demo: Any, twin: Any) -> None:
    rng = np.random.default_rng(5)
    pairs = [(demo.new_state(B=rows, T=6), twin([0] * rows, np.zeros((rows, 0, 3))), rows) for rows in (1, 3)]
    for _ in range(3):
        for state, reference, rows in pairs:
            x = draw(rng, rows)
            np.testing.assert_array_equal(demo.decode(state, x=x, W=W)["total"].numpy(), reference.decode(x, W))


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"W": W}, "tensor 'x' is missing"),
        ({"x": np.ones((1, 3), np.float32), "w": W}, "no tensor 'w'"),
        ({"x": np.ones((1, 3)), "W": W}, "tensor 'x': expected f32, got float64"),
        ({"x": np.ones(3, np.float32), "W": W}, r"tensor 'x': expected 2 dims \[B, 3\], got 1 \[3\]"),
        ({"x": np.ones((1, 4), np.float32), "W": W}, r"tensor 'x': expected \[B, 3\], got \[1, 4\]"),
        ({"x": torch.ones(1, 3, dtype=torch.bfloat16), "W": W}, "tensor 'x': expected f32, got bfloat16"),
    ],
)
def test_wrong_tensors_are_refused_by_name(demo: Any, tensors: dict[str, Any], message: str) -> None:
    state = demo.new_state(B=2, T=4)
    with pytest.raises(InputError, match=message):
        demo.decode(state, **tensors)
    assert state.calls == {"decode": 0}


def test_more_rows_than_the_state_has(demo: Any) -> None:
    state = demo.new_state(B=2, T=4)
    with pytest.raises(CapacityError, match=r"dim B \(tensor 'x'\): 3 exceeds the state's capacity 2"):
        demo.decode(state, x=np.ones((3, 3), np.float32), W=W)


def test_misuse_of_a_state(demo: Any) -> None:
    with pytest.raises(InputError, match="needs a capacity for T"):
        demo.new_state(B=2)
    with pytest.raises(InputError, match="no dim 'C'"):
        demo.new_state(B=2, T=4, C=1)
    state = demo.new_state(B=2, T=4)
    with pytest.raises(InputError, match="no memory 'kye'"):
        state.read("kye")
    with pytest.raises(InputError, match=r"memory 'keys': expected \[B \(up to 2\), T \(up to 4\), 3\]"):
        state.load("keys", np.zeros((2, 5, 3), np.float32))
    with pytest.raises(DeviceError, match="cannot use memory that others allocated"):
        state.bind(keys=np.zeros(3))
    with pytest.raises(StateError, match="no step 'encode'"):
        demo.step("encode")


def test_clear_empties_the_memories_along_a_dim(demo: Any, twin: Any) -> None:
    state = demo.new_state(B=1, T=4)
    x = np.ones((1, 3), np.float32)
    for _ in range(4):
        demo.decode(state, x=x, W=W)
    state.clear("T")
    assert state.read("keys").shape == (1, 0, 3)
    demo.decode(state, x=x, W=W)
    np.testing.assert_array_equal(state.read("keys")[0], [W])
