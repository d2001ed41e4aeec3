"""A caller's tensors become bit patterns, and back."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch

from hetc.numerics import DTYPES, encode
from hetc.runtime.elements import decoded, host_dtype, stored, to_host, to_torch
from hetc.runtime.errors import InputError

VALUES = np.array([0.0, -0.0, 1.0, -1.5, 3.3, 1000.0, 1e-3, 5e4], np.float32)


@pytest.mark.parametrize("element", ["f32", "f16", "bf16", "fp8", "fp8e5m2"])
def test_float32_is_rounded_as_the_language_rounds(element: str) -> None:
    bits = to_host(VALUES, element, "x")
    assert bits.dtype == host_dtype(element)
    np.testing.assert_array_equal(decoded(bits, element), encode(VALUES, element).astype(np.float64))


@pytest.mark.parametrize("element", ["f32", "f16", "bf16", "fp8", "fp8e5m2"])
def test_exact_dtypes_pass_unchanged_from_torch_and_numpy(element: str) -> None:
    exact = encode(VALUES, element)
    from_numpy = to_host(exact, element, "x")
    tensor = to_torch(from_numpy, element)
    assert tensor.dtype == getattr(torch, DTYPES[element].torch_name)
    np.testing.assert_array_equal(to_host(tensor, element, "x"), from_numpy)
    np.testing.assert_array_equal(stored(from_numpy, element).view(from_numpy.dtype), exact.view(from_numpy.dtype))


def test_integers_that_fit_and_one_that_does_not() -> None:
    assert to_host(np.array([1, -1]), "index", "i").dtype == np.int32
    assert to_host(torch.tensor([0, 255]), "u8", "u").tolist() == [0, 255]
    with pytest.raises(InputError, match=r"tensor 'u': 256 does not fit u8 \(0 to 255\)"):
        to_host(np.array([0, 256]), "u8", "u")
    with pytest.raises(InputError, match=r"tensor 'n': -9 does not fit i4 \(-8 to 7\)"):
        to_host(np.array([-9], np.int8), "i4", "n")


@pytest.mark.parametrize(
    ("value", "element", "message"),
    [
        (np.zeros(2), "bf16", r"expected bf16 \(or float32, which is rounded\), got float64"),
        (np.zeros(2, ml_dtypes.bfloat16), "fp8", r"expected fp8 \(or float32, which is rounded\), got bfloat16"),
        (torch.zeros(2, dtype=torch.bfloat16), "f16", "expected f16, got bf16"),
        (np.zeros(2, np.float32), "i32", "expected i32 integers, got float32"),
        (np.zeros(2, np.int32), "f32", "expected f32, got int32"),
        (np.zeros(2, np.uint8), "bool", "expected bool, got uint8"),
    ],
)
def test_other_dtypes_are_refused(value: Any, element: str, message: str) -> None:
    with pytest.raises(InputError, match=f"tensor 'x': {message}"):
        to_host(value, element, "x")


def test_bool_is_one_byte() -> None:
    bits = to_host(torch.tensor([True, False]), "bool", "x")
    assert bits.dtype == np.uint8 and bits.tolist() == [1, 0]
    assert decoded(bits, "bool").tolist() == [True, False]
    assert to_torch(bits, "bool").dtype == torch.bool


@pytest.mark.parametrize("element", ["f32", "bf16", "i32", "bool"])
def test_a_scalar_keeps_its_rank(element: str) -> None:
    value = np.array(True) if element == "bool" else np.array(1, np.int32 if element == "i32" else np.float32)
    bits = to_host(value, element, "x")
    assert bits.shape == () and to_torch(bits, element).shape == ()
