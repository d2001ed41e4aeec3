"""The harness sees what it looks for, and hands values of every type through."""

from __future__ import annotations

import numpy as np
import pytest

from tests.upstream.jit import Function


def test_an_access_outside_of_a_tensor_is_reported() -> None:
    text = """
module {
  func.func @f(%x: tensor<?xf32>, %i: index) -> tensor<1xf32> {
    %v = tensor.extract %x[%i] : tensor<?xf32>
    %y = tensor.from_elements %v : tensor<1xf32>
    return %y : tensor<1xf32>
  }
}
"""
    function = Function(text, "f")
    assert function(np.array([1.0, 2.0]), 1)[0].tolist() == [2.0]
    with pytest.raises(AssertionError, match="out-of-bounds"):
        function(np.array([1.0, 2.0]), 2)


def test_operands_that_disagree_are_reported() -> None:
    text = """
#id = affine_map<(d0) -> (d0)>
module {
  func.func @f(%x: tensor<?xf32>, %y: tensor<?xf32>) -> tensor<?xf32> {
    %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<?xf32>) outs(%y : tensor<?xf32>) {
    ^bb0(%a: f32, %b: f32):
      %c = arith.addf %a, %b : f32
      linalg.yield %c : f32
    } -> tensor<?xf32>
    return %s : tensor<?xf32>
  }
}
"""
    function = Function(text, "f")
    assert function(np.ones(3), np.ones(3))[0].tolist() == [2.0, 2.0, 2.0]
    with pytest.raises(AssertionError, match="incompatible"):
        function(np.ones(3), np.ones(4))


@pytest.mark.parametrize("element", ["f8E4M3FN", "f8E5M2", "bf16", "f16", "i1", "i8", "i64"])
def test_values_of_every_type_pass(element: str) -> None:
    type_ = f"tensor<?x2x{element}>"
    text = f"module {{ func.func @f(%x: {type_}) -> {type_} {{ return %x : {type_} }} }}"
    values = np.array([[0, 1], [-8, 7], [3, -1]]) if element != "i1" else np.array([[True, False]])
    assert Function(text, "f")(values)[0].astype(values.dtype).tolist() == values.tolist()
    assert Function(text, "f")(np.zeros((0, 2)))[0].shape == (0, 2)
