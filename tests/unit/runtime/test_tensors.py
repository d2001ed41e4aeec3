"""A caller's tensors become bit patterns, and back; what holds no values, or not the right ones, is refused."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch

from hetc.numerics import DTYPES
from hetc.numerics.rounding import encode
from hetc.runtime.elements import decoded, element_type, host_dtype, stored, to_torch, torch_dtype
from hetc.runtime.errors import InputError
from hetc.runtime.tensors import to_host

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
        (torch.zeros(2, dtype=torch.bfloat16), "f16", r"expected f16 \(or float32, which is rounded\), got bfloat16"),
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


ROW = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
OVERLAPPING = np.lib.stride_tricks.sliding_window_view(np.arange(4, dtype=np.float32), 3)


class Speaks:
    """An array of a library that offers its values through DLPack alone."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor

    def __dlpack__(self, **options: Any) -> Any:
        return self.tensor.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.tensor.__dlpack_device__()


class Reluctant(Speaks):
    """One that DLPack cannot hand over, because it is read-only."""

    def __dlpack__(self, **options: Any) -> Any:
        raise BufferError("read-only")

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.tensor.numpy()


class Keeps(Speaks):
    """One that lies where nobody else may look."""

    def __dlpack__(self, **options: Any) -> Any:
        raise BufferError("not on this machine")


class Tensor(torch.Tensor):
    """A user's own class of tensors."""


class Elsewhere(torch.Tensor):
    """One whose values cannot be had, as those of a tensor that is being traced."""

    def cpu(self, *arguments: Any) -> Any:
        raise RuntimeError("on another node")


@pytest.mark.parametrize(
    "value",
    [
        ROW.astype(">f4"),
        np.asfortranarray(ROW),
        np.ascontiguousarray(ROW[::-1, ::-1])[::-1, ::-1],
        np.repeat(ROW, 2, axis=1)[:, ::2],
        np.ma.masked_array(ROW, mask=np.zeros_like(ROW, bool)),
        ROW.tolist(),
        [[1, 2, 3], (4, 5, 6)],
        [*ROW],
        memoryview(ROW),
        torch.tensor(ROW.T.copy()).T,
        torch.tensor(ROW, requires_grad=True),
        torch.nn.Parameter(torch.tensor(ROW)),
        torch.view_as_complex(torch.tensor(np.stack([ROW, -ROW], -1))).conj().imag,
        torch.tensor(ROW).as_subclass(Tensor),
        Speaks(torch.tensor(ROW)),
        Reluctant(torch.tensor(ROW)),
    ],
    ids=[
        "byte order", "Fortran order", "negative strides", "strided", "nothing masked", "list", "integers",
        "list of rows", "buffer", "transposed", "requires grad", "parameter", "negative bit", "subclass", "DLPack",
        "DLPack read-only",
    ],
)  # fmt: skip
@pytest.mark.parametrize("element", ["f32", "bf16"])
def test_however_values_lie_they_are_the_values(value: Any, element: str) -> None:
    found = to_host(value, element, "x")
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(decoded(found, element), ROW)


def test_elements_that_share_memory_are_told_apart() -> None:
    expanded = torch.tensor([[1.0], [2.0]]).expand(2, 3)
    np.testing.assert_array_equal(to_host(expanded, "f32", "x"), [[1, 1, 1], [2, 2, 2]])
    np.testing.assert_array_equal(to_host(OVERLAPPING, "f32", "x"), [[0, 1, 2], [1, 2, 3]])
    frozen = ROW.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(to_host(frozen, "f32", "x"), ROW)


@pytest.mark.parametrize("element", ["f32", "fp8", "i4", "bool", "index"])
def test_nothing_at_all(element: str) -> None:
    assert to_host([], element, "x").shape == (0,)
    dtype = element_type(element).storage
    assert to_host(np.zeros((3, 0, 2), dtype), element, "x").shape == (3, 0, 2)
    assert to_host(torch.zeros(0, 2, dtype=torch_dtype(element)), element, "x").shape == (0, 2)


def test_pythons_numbers_take_the_declared_dtype() -> None:
    assert decoded(to_host(0.1, "f32", "lr"), "f32") == np.float32(0.1)
    assert to_host(True, "bool", "x").tolist() == 1
    assert to_host([255, 0], "u8", "x").tolist() == [255, 0]
    for value, element, message in (
        (1e39, "bf16", "1e\\+39 does not fit float32"),
        (256, "u8", "256 does not fit u8"),
        (1.5, "i32", "expected i32 integers, got float64"),
        (True, "i32", "expected i32 integers, got bool"),
        (True, "f32", "expected f32, got bool"),
        (1j, "f32", "expected f32, got complex128"),
        (np.float64(0.1), "f32", "expected f32, got float64"),
        (10**30, "i64", "expected an array of numbers, got int"),
        ([[1.0], [1.0, 2.0]], "f32", "list gives no array: .*inhomogeneous"),
    ):
        with pytest.raises(InputError, match=f"tensor 'x'.*{message}"):
            to_host(value, element, "x")


@pytest.mark.filterwarnings("ignore:.*prototype stage", "ignore:.*beta state", "ignore:.*deprecated")
def test_what_holds_no_values_or_others_is_refused_by_name() -> None:
    dense = torch.tensor(ROW)
    for value, message in (
        (dense.to("meta"), "is on torch's meta device and has no values"),
        (dense.to_sparse(), r"expected a dense tensor, got torch.sparse_coo; give `.to_dense\(\)`"),
        (dense.to_sparse_csr(), "expected a dense tensor, got torch.sparse_csr"),
        (torch.nested.nested_tensor([dense[0], dense[1, :2]]), "expected a dense tensor, got a nested one"),
        (torch.quantize_per_tensor(dense, 0.1, 0, torch.qint8), r"got torch.qint8; give `.dequantize\(\)`"),
        (dense.to(torch.complex64), "expected f32, got complex64"),
        (dense.to(torch.complex64).conj(), "expected f32, got complex64"),
        (dense.to(torch.float8_e4m3fnuz), "torch gives no values of torch.float8_e4m3fnuz on cpu"),
        (dense.as_subclass(Elsewhere), "torch gives no values of torch.float32 on cpu: on another node"),
        (np.ma.masked_array(ROW, mask=ROW > 5), "elements are masked"),
        (np.array([1, None], object), "expected an array of numbers, got ndarray"),
        (np.array([(1.0, 2)], "f4,i4"), "expected f32, got"),
        (np.array(["1"]), "expected f32, got <U1"),
        (Keeps(dense), "Keeps gives no array: not on this machine"),
        (None, r"expected an array of numbers, got NoneType \(None\)"),
        ({"x": 1}, "expected an array of numbers, got dict"),
        ("1.0", "expected f32, got <U3"),
    ):
        with pytest.raises(InputError, match=f"^tensor 'W'.*{message}"):
            to_host(value, "f32", "W")


def test_wide_indices_take_64_bits() -> None:
    assert host_dtype("index").itemsize == 4 and host_dtype("index64").itemsize == 8
