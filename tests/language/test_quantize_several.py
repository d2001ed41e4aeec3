"""One scale for all that several indices go through, on every device, against numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hetc.numerics.quantization import quantize
from tests.language.running import WAYS, session_of

TEXT = """
pipeline scaled grows T by 1:
    dim B <= 4
    dim T <= 8 per B
    dim A = 3; dim C = 4
    input x: f32[B, A, C]
    input k: f32[B, C]
    memory keys: f32[B, T, C]
    prepare:
        append(keys, k)
    apply:
        q[b, a, c], qs[b] = quantize[a, c](x[b, a, c] * 2, fp8)
        r[c, b, a], rs[c] = quantize[b, a](where(x[b, a, c] > -3, x[b, a, c]), i8, scale=f32)
        u[b, t, c], us[b] = quantize[t, c](keys[b, t, c], i4)
        v[b, t, c], vs[c] = quantize[b, t](keys[b, t, c], fp8, floor=0.5)
        w[b, a], ws = quantize[a, b](x[b, a, 0], i8)
    output q, qs, r, rs, u, us, v, vs, w, ws
"""


@pytest.mark.parametrize("way", WAYS)
def test_quantize(way: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    lengths = np.array([0, 4, 1])
    session = session_of(TEXT, way, {"B": 3, "T": 8}, {"T": lengths}, tmp_path)
    keys = rng.integers(-60, 61, (3, 8, 4)).astype(np.float32) / 8
    session.load("keys", keys)
    x = rng.integers(-60, 61, (3, 3, 4)).astype(np.float32) / 8
    k = rng.integers(-60, 61, (3, 4)).astype(np.float32) / 8
    got = session.call(x=x, k=k)
    keys[np.arange(3), lengths] = k
    keys[np.arange(8)[None] > lengths[:, None]] = 0  # past a row's end
    longest = lengths.max() + 1

    def check(name: str, values: np.ndarray, dtype: str, scale: str = "pow2", floor: float = 1e-4) -> None:
        """values: [scales, all that has the scale]."""
        narrow, scales = quantize(values, 1, dtype, None, scale, floor)  # type: ignore[arg-type]
        found = {"q": got["q"].reshape(3, -1), "r": got["r"].reshape(4, -1), "u": got["u"].reshape(3, -1),
                 "v": got["v"].transpose(2, 0, 1).reshape(4, -1), "w": got["w"].reshape(1, -1)}[name]  # fmt: skip
        got_scales = np.asarray(got[f"{name}s"], np.float32).reshape(-1)
        np.testing.assert_array_equal(got_scales, scales.astype(np.float32), err_msg=name)
        np.testing.assert_array_equal(found, narrow, err_msg=name)

    check("q", (2 * x).reshape(3, 12), "fp8")
    check("r", np.where(x > -3, x, 0).transpose(2, 0, 1).reshape(4, 9), "i8", "f32")
    check("u", keys[:, :longest].reshape(3, -1), "i4")
    check("v", keys[:, :longest].transpose(2, 0, 1).reshape(4, -1), "fp8", floor=0.5)
    check("w", x[:, :, 0].reshape(1, 9), "i8")
