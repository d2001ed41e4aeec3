"""Sums in fixed point: exact, or refused."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from nest_kernels import parsed, run
from xdsl.utils.exceptions import VerifyException

COUNT = 40
KERNEL = """builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[COUNT], LEFT>, %y: !mp.tensor<[COUNT], RIGHT>, %r: !nest.buf<[2] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %end = arith.constant COUNT : index
      %a = nest.acc "a" : !nest.acc<[2] of fixed_sum<f32, BITS>, local>
      %b = nest.acc "b" : !nest.acc<[] of fixed_sum<f32, BITS>, reg>
      nest.for %zero to %end step 1 : i64 most COUNT : i64 {
      ^bb0(%i: index):
        %v = nest.read %x[%i] : !mp.tensor<[COUNT], LEFT> -> f32
        %w = nest.read %y[%i] : !mp.tensor<[COUNT], RIGHT> -> f32
        %vw = arith.mulf %v, %w : f32
        nest.fold %vw into %a[%zero] : f32 into !nest.acc<[2] of fixed_sum<f32, BITS>, local>
        nest.fold %vw into %b[] : f32 into !nest.acc<[] of fixed_sum<f32, BITS>, reg>
      }
      nest.merge %b[] into %a[%one] : !nest.acc<[] of fixed_sum<f32, BITS>, reg>, STATES
      %first = nest.finish %a[%zero] : STATES -> f32
      %second = nest.finish %a[%one] : STATES -> f32
      nest.store %first in %r[%zero] : f32, !nest.buf<[2] x f32, global>
      nest.store %second in %r[%one] : f32, !nest.buf<[2] x f32, global>
    }
  }
}"""


def kernel(left: str = "f8E4M3FN", right: str = "f8E4M3FN", bits: int = 18, count: int = COUNT) -> str:
    text = KERNEL.replace("STATES", "!nest.acc<[2] of fixed_sum<f32, BITS>, local>")
    for word, value in (("COUNT", count), ("LEFT", left), ("RIGHT", right), ("BITS", bits)):
        text = text.replace(word, str(value))
    return text


@pytest.mark.parametrize("planted", [None, np.nan])
def test_products_of_fp8(planted: float | None) -> None:
    """All codes, drawn: the sum is rounded once."""
    codes = np.random.default_rng(0).integers(0, 256, (2, COUNT)).astype(np.uint8)
    x, y = np.nan_to_num(codes.view(ml_dtypes.float8_e4m3fn).astype(np.float64)).astype(ml_dtypes.float8_e4m3fn)
    if planted is not None:
        x[5] = planted
    (made,) = run(kernel(), [x, y])
    expected = np.float32((x.astype(np.float64) * y.astype(np.float64)).sum())
    np.testing.assert_array_equal(made, [expected, expected])


def test_what_is_small_is_kept() -> None:
    """Between the largest products, where a sum of f32 loses it."""
    x, y = (np.zeros(COUNT, ml_dtypes.float8_e4m3fn) for _ in range(2))
    x[:3], y[:3] = [448, 2**-9, -448], [448, 2**-9, 448]
    (made,) = run(kernel(), [x, y])
    assert made.tolist() == [2.0**-18, 2.0**-18]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bits": 17}, "a value is not known to be a multiple of 2^-17"),
        ({"right": "bf16"}, "a value is not known to be a multiple of 2^-18"),
        ({"right": "f8E5M2"}, "a value is not known to be a multiple of 2^-18"),
        # 2^18 for the largest product, 18 bits behind the point, 2^28 products.
        ({"count": 2**28}, "63 bits do not hold it"),
        ({"bits": 40}, "63 bits do not hold it"),
    ],
)
def test_what_may_not_be_exact_is_refused(changes: dict, reason: str) -> None:
    parsed(kernel())
    with pytest.raises(VerifyException, match=f"a fixed_sum is exact or nothing: {reason}".replace("^", r"\^")):
        parsed(kernel(**changes))
