"""What a state is made with and what may be set of it: a slip is refused with what to write instead."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from hetc.runtime.errors import CapacityError, InputError, ReadOnlyError, StateError
from hetc.runtime.host import Dim, Pipeline, Step, Tensor
from hetc.runtime.state import State

W = np.array([1.0, -2.0, 0.5], np.float32)


@pytest.mark.parametrize("value", [4, np.int64(4), np.uint8(4), np.array(4), torch.tensor(4)], ids=repr)
def test_capacities_of_any_integer_type(demo: Any, value: Any) -> None:
    state = demo.new_state(B=value, T=value)
    assert state.capacities == {"B": 4, "T": 4} and type(state.capacities["T"]) is int


@pytest.mark.parametrize(
    "value",
    ["x", "4", 2.5, 4.0, float("nan"), True, np.True_, np.float32(4), None, [4], np.array([4, 4]), torch.tensor(4.0)],
    ids=repr,
)
def test_a_capacity_that_is_no_integer(demo: Any, value: Any) -> None:
    with pytest.raises(InputError, match="capacity T: expected an integer, got "):
        demo.new_state(B=2, T=value)


@pytest.mark.parametrize("value", [0, -1, 33, 10**30, np.int64(-5)])
def test_a_capacity_out_of_range(demo: Any, value: Any) -> None:
    with pytest.raises(CapacityError, match=rf"capacity T={value}: expected 1 to 32 \(its bound\)"):
        demo.new_state(B=2, T=value)


def test_unknown_and_derived_dims() -> None:
    dims = {"T": Dim(bound=32), "N": Dim(bound=8, of=("T",), derived=lambda T: T // 4)}
    pipeline = Pipeline("demo", "demo.mp", dims, {"m": Tensor("memory", ("N", 3), "f32")}, {"p": Step({}, (), ())}, ())
    from hetc.runtime.devices import open_device

    devices = {"host": open_device()}
    assert State(pipeline, devices, {"T": 9}).capacities == {"T": 9, "N": 2}
    with pytest.raises(InputError, match="capacity N=2: it follows from T; give that alone"):
        State(pipeline, devices, {"T": 9, "N": 2})
    with pytest.raises(InputError, match="pipeline 'demo' has no dim 'S'; it has T, N"):
        State(pipeline, devices, {"T": 9, "S": 2})
    with pytest.raises(InputError, match="pages: expected a mapping"):
        State(pipeline, devices, {"T": 9}, 5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (True, InputError, "expected an integer or 2 integers"),
        (2.0, InputError, "expected an integer or 2 integers"),
        (float("nan"), InputError, "expected an integer or 2 integers"),
        ("2", InputError, "expected an integer or 2 integers"),
        ([1, 2, 3], InputError, "expected 2 lengths, got 3"),
        (torch.zeros(2, dtype=torch.int32, device="meta"), InputError, "dim T is on torch's meta device"),
        (-1, CapacityError, "lie outside of 0 to"),
        (9, CapacityError, "lie outside of 0 to 8"),
        (2**32 + 3, CapacityError, "lie outside of 0 to"),
        (10**30, InputError, "dim T: expected an array of numbers"),
    ],
    ids=repr,
)
def test_lengths_that_are_none(demo: Any, value: Any, error: type[Exception], message: str) -> None:
    state = demo.new_state(B=2, T=8)
    state.set_lengths(T=[1, 2])
    with pytest.raises(error, match=message):
        state.set_lengths(T=value)
    with pytest.raises(InputError, match="has no dim 'S'"):
        state.set_lengths(T=3, S=1)
    assert state.lengths["T"].tolist() == [1, 2]


def test_lengths_from_anywhere(demo: Any) -> None:
    state = demo.new_state(B=2, T=8)
    for value in ([3, 5], (3, 5), np.array([3, 5], ">i8"), torch.tensor([3, 5])):
        state.set_lengths(T=0)
        state.set_lengths(T=value)
        assert state.lengths["T"].tolist() == [3, 5]


def test_lengths_that_a_call_cannot_say(demo: Any) -> None:
    state, x = demo.new_state(B=1, T=4), np.ones((1, 3), np.float32)
    with pytest.raises(
        InputError, match=r"dim T cannot be given with a call; the state keeps it: state.set_lengths sets it"
    ):
        demo.decode(state, {"T": 2}, x=x, W=W)
    with pytest.raises(InputError, match="no dim 'S'"):
        demo.decode(state, {"S": 2}, x=x, W=W)


def test_what_is_given_by_position(demo: Any) -> None:
    x = np.ones((1, 3), np.float32)
    with pytest.raises(InputError, match="expected a mapping of lengths, got ndarray; tensors are given by name"):
        demo.decode(demo.new_state(B=1, T=4), x, W=W)
    with pytest.raises(StateError, match="expected a state made by new_state, got ndarray"):
        demo.decode(x, W=W)


def test_memories_are_no_attributes(demo: Any) -> None:
    state = demo.new_state(B=1, T=4)
    instead = r"state.read\('keys'\) gives what the memory holds, state.load\('keys', array\) sets it"
    with pytest.raises(AttributeError, match=f"has no attribute 'keys'; {instead}"):
        _ = state.keys
    for error in (ReadOnlyError, AttributeError):
        with pytest.raises(error, match=f"'keys' of <state of pipeline 'demo': B=1, T=4> cannot be set; {instead}"):
            state.keys = np.zeros((1, 4, 3), np.float32)
    assert not hasattr(state, "keys") and not state.read("keys").size
    with pytest.raises(ReadOnlyError, match=r"'nonsense' of .* cannot be set; its memories are keys, total"):
        state.nonsense = 1


@pytest.mark.parametrize("name", ["pipeline", "devices", "given", "capacities", "calls", "lengths", "dense", "pools"])
def test_what_a_state_has_is_read_only(demo: Any, name: str) -> None:
    state = demo.new_state(B=1, T=4)
    before = getattr(state, name)
    with pytest.raises(ReadOnlyError, match=f"'{name}' of .* cannot be set"):
        setattr(state, name, {})
    with pytest.raises(ReadOnlyError, match=f"'{name}' of .* cannot be deleted"):
        delattr(state, name)
    assert getattr(state, name) is before


def test_entries_are_read_only(demo: Any) -> None:
    state = demo.new_state(B=1, T=4)
    demo.decode(state, x=np.ones((1, 3), np.float32), W=W)
    for change in (
        lambda: state.lengths.__setitem__("T", np.array([3])),
        lambda: state.lengths.__delitem__("T"),
        lambda: state.lengths.update(T=3),
        lambda: state.calls.__setitem__("decode", 0),
        lambda: state.capacities.__setitem__("T", 8),
        lambda: state.given.__setitem__("T", 8),
    ):
        with pytest.raises(AttributeError):
            change()
    with pytest.raises(ReadOnlyError, match=r"'T' cannot be set; state.set_lengths\(T=...\) sets lengths"):
        state.lengths["T"] = np.array([3])
    with pytest.raises(ValueError, match="read-only"):
        state.lengths["T"][0] = 3
    assert state.lengths["T"].tolist() == [1] and state.calls == {"decode": 1} and state.capacities["T"] == 4


def test_a_state_has_no_attributes_of_a_copy_in_the_making(demo: Any) -> None:
    """Python asks half-made objects for attributes."""
    bare = State.__new__(State)
    with pytest.raises(AttributeError):
        _ = bare.lengths
    assert copy.copy(demo.new_state(B=1, T=4)).given == {"B": 1, "T": 4}


def test_what_a_program_has_is_read_only(demo: Any) -> None:
    for name, message in (
        ("PIPELINE", "what can be set is on_kernel, on_transfer"),
        ("devices", "what can be set is on_kernel, on_transfer"),
        ("decode", "what can be set is on_kernel, on_transfer"),
        ("on_kernels", "what can be set is on_kernel, on_transfer"),
        ("W", r"a step is called with it, or program.freeze\(W=...\) keeps it"),
        ("x", "a step is called with it"),
        ("keys", r"state.load\('keys', array\) sets a memory"),
    ):
        with pytest.raises(
            ReadOnlyError, match=f"'{name}' of <program of pipeline 'demo' in .* cannot be set; {message}"
        ):
            setattr(demo, name, None)
    demo.on_kernel = demo.on_transfer = None


def test_contents_that_are_shorter_than_their_lengths(demo: Any) -> None:
    state = demo.new_state(B=2, T=8)
    state.load("keys", np.ones((2, 3, 3), np.float32), lengths=[3, 1])
    for arguments, message in (
        (("keys", np.zeros((2, 3, 3), np.float32), [4, 1]), r"memory 'keys': 3 rows along T, and lengths \[4, 1\]"),
        (("total", np.zeros(2, np.float32), 2), "memory 'total' does not grow, and takes no lengths"),
        (("keys", torch.zeros(2, 3, 3, device="meta")), "tensor 'keys' is on torch's meta device"),
    ):
        with pytest.raises(InputError, match=message):
            state.load(*arguments)
    assert state.lengths["T"].tolist() == [3, 1] and state.read("keys").sum() == 12


def test_a_state_that_finds_no_room() -> None:
    from hetc.runtime.devices import open_device
    from hetc.runtime.errors import DeviceError

    tensors = {"m": Tensor("memory", ("T", 2**20), "f32")}
    pipeline = Pipeline("demo", "demo.mp", {"T": Dim(bound=2**31 - 1)}, tensors, {"p": Step({}, (), ())}, ())
    with pytest.raises(DeviceError, match=r"host has no room for .* elements of f32"):
        State(pipeline, {"host": open_device()}, {"T": 2**31 - 1})
