"""Values of less than a byte: what programs compute with them, and the bytes that they lie in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hetc.compiler.driver import Options, compile_source_file
from hetc.numerics.packing import pack
from hetc.numerics.rounding import round_to
from hetc.runtime.errors import InputError
from hetc.source import SourceFile
from tests.executors import ProgramSession
from tests.language.running import WAYS, session_of

D = 13
EVERYWHERE = """
pipeline everywhere grows T by 2:
    dim L = 2; dim B <= 4
    dim T <= 64 per B
    dim D = 13; dim Q = 600
    input x: f32[B, D]
    input at: i32[B]
    input n: u2[B, D]
    weight w: fp4[L, D]
    weight each: i2[L]
    input one: u4
    memory keys: i4[L, B, T, D] @paged(8)
    memory ks: e8m0[L, B, T] @planes(keys)
    memory pair: u2[B, T, 2, D]
    memory big: i4[Q, D] = -3
    memory bank: ring fp4[B, 3, D]
    memory bits: u4[B, D] = 2
    memory carried: i2[B, D]

    prepare:
        h[b, d] = x[b, d]
        two[b, c < 2, i < 2, d] = u2(n[b, d] + c + i)
        append(pair, two)
    for l in L:
        prepare:
            r[b, c < 2, d] = i4(round(h[b, d] * w[l, d])) + c
            e[b, c < 2] = max[d](abs(h[b, d])) + c
            append(keys[l], r); append(ks[l], e)
        apply:
            h[b, d] = h[b, d] + sum[t](ks[l, b, t] * keys[l, b, t, d]) * 0.125 + each[l]
    prepare:
        big[at[b], d] = i32(x[b, d])
        big[at[b] + 1, 2] = 20
        bits[b, at[b]] += i32(one) + 4
        last[b, d] = fp4(x[b, d])
        append(bank, last)
        carried[b, d] = i32(x[b, d]) % 2
    apply:
        o[b, d] = sum[j < 3](bank[b, j, d]) + big[at[b], d] + bits[b, d]
        p[b, t, d] = u2(pair[b, t, 1, d] + 1)
        q[b, t] = fp4(sum[d](pair[b, t, 0, d] * x[b, d]))
        s[b] = max[t](q[b, t])
    output h, o, last, p, s
"""


def to(values: np.ndarray, dtype: str) -> np.ndarray:
    return round_to(values, dtype)


class Everywhere:
    """The same by numpy, a row at a time."""

    def __init__(self, batch: int) -> None:
        self.keys = [[np.zeros((0, D)) for _ in range(batch)] for _ in range(2)]
        self.scales = [[np.zeros(0) for _ in range(batch)] for _ in range(2)]
        self.pair = [np.zeros((0, 2, D)) for _ in range(batch)]
        self.big, self.bits = np.full((600, D), -3.0), np.full((batch, D), 2.0)
        self.bank: list[np.ndarray] = []

    def call(self, x, at, n, w, each, one):
        h = x.astype(float)
        for b in range(len(x)):
            new = [[to(n[b] + c + i, "u2") for i in range(2)] for c in range(2)]
            self.pair[b] = np.concatenate([self.pair[b], new])
        for layer in range(2):
            for b in range(len(x)):
                base = to(np.rint((h[b] * w[layer]).astype(np.float32)), "i4")
                rows = [to(base + c, "i4") for c in range(2)]
                scales = [to(np.abs(h[b]).max() + c, "e8m0") for c in range(2)]
                self.keys[layer][b] = np.concatenate([self.keys[layer][b], rows])
                self.scales[layer][b] = np.concatenate([self.scales[layer][b], scales])
                h[b] += self.scales[layer][b] @ self.keys[layer][b] * 0.125 + each[layer]
        for b in range(len(x)):  # of two writes to one place the later row's stays
            if 0 <= at[b] < 600:
                self.big[at[b]] = to(np.trunc(x[b]), "i4")
        for b in range(len(x)):
            if 0 <= at[b] + 1 < 600:
                self.big[at[b] + 1, 2] = 7
            if 0 <= at[b] < D:
                self.bits[b, at[b]] = to(self.bits[b, at[b]] + one + 4, "u4")
        last = to(x, "fp4")
        self.bank = [*self.bank[-2:], last]
        o = sum(self.bank) + self.bits + [self.big[a] if 0 <= a < 600 else np.zeros(D) for a in at]
        return {"h": h, "o": o, "last": last}


@pytest.mark.parametrize("way", WAYS)
def test_they_stand_wherever_a_tensor_does(way: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    session = session_of(EVERYWHERE, way, {"B": 3, "T": 16}, {"T": [0, 0, 0]}, tmp_path)
    twin = Everywhere(3)
    w, each = to(rng.normal(size=(2, D)) * 2, "fp4"), np.array([1, -2])
    for call in range(4):
        x = np.rint(rng.normal(0, 2, (3, D)) * 4).astype(np.float32) / 4
        at = np.array([[3, 3, 500], [12, 0, 599], [4, 1, 7], [0, 0, 0]][call])
        given = {"at": at, "n": rng.integers(0, 4, (3, D)), "w": w, "each": each, "one": np.array(5)}
        outputs, expected = session.call(x=x, **given), twin.call(x, **given)
        np.testing.assert_allclose(outputs["h"], expected["h"], rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(outputs["last"], expected["last"])
        present = (at >= 0) & (at < 600)
        np.testing.assert_allclose(outputs["o"][present], expected["o"][present], rtol=1e-6)
        for b in range(3):
            pair = twin.pair[b]
            np.testing.assert_array_equal(outputs["p"][b, : len(pair)], to(pair[:, 1] + 1, "u2"))
            np.testing.assert_array_equal(outputs["s"][b], to(pair[:, 0] @ x[b], "fp4").max())
        np.testing.assert_array_equal(session.memory("big"), twin.big)
        np.testing.assert_array_equal(session.memory("bits"), twin.bits)
    if isinstance(session, ProgramSession):
        held = session.state.read("keys", as_stored=True)
        assert held.dtype == np.uint8 and held.shape[-1] == 7
        np.testing.assert_array_equal(held[1, 2, :8], pack(twin.keys[1][2], "i4"))
        assert session.state.read("pair", as_stored=True).shape[-2:] == (2, 4)


CAST = """
pipeline cast:
    dim N <= 4096
    input x: f32[N]
    input i: i32[N]
    apply:
        a[n, j < 1] = fp4(x[n])
        b[n, j < 1] = e8m0(x[n])
        c[n] = fp4(x[n]) * 1
        d[n] = e8m0(x[n]) * 1
        e[n] = u2(i[n]) + 0
        f[n] = i2(i[n]) + 10 * u4(i[n]) + 1000 * i4(i[n])
    output a, b, c, d, e, f
"""


@pytest.mark.parametrize("way", WAYS)
def test_casts_go_to_the_nearest_value(way: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ties = np.outer([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0, 6.0, 7.0, 1.5, 3.0], [-1.0, 1.0]).reshape(-1)
    near = np.concatenate([np.nextafter(ties.astype(np.float32), np.float32(side)) for side in (-100, 100)])
    least = np.array([1, 0x400000, 0x5FFFFF, 0x600000, 0x7FFFFF, 0x800000, 0xBFFFFF, 0xC00000], np.uint32).view(
        np.float32
    )
    special = [0.0, -0.0, np.nan, np.inf, -np.inf, 3e38, 2.0**127, 1e-30]
    wide = rng.standard_normal(300) * np.exp2(rng.uniform(-120, 120, 300))
    x = np.concatenate([ties, near, least, special, rng.normal(size=300), wide]).astype(np.float32)
    i = rng.integers(-20, 21, len(x))
    outputs = session_of(CAST, way, {}, {}, tmp_path).call(x=x, i=i)
    for name, dtype in (("a", "fp4"), ("b", "e8m0"), ("c", "fp4"), ("d", "e8m0")):
        got = outputs[name].reshape(-1)
        np.testing.assert_array_equal(got, to(x, dtype), err_msg=name)
    assert (np.signbit(outputs["a"][:, 0]) == np.signbit(to(x, "fp4"))).all()
    np.testing.assert_array_equal(outputs["e"], to(i, "u2"))
    np.testing.assert_array_equal(outputs["f"], to(i, "i2") + 10 * to(i, "u4") + 1000 * to(i, "i4"))


SCALED = """
pipeline scaled:
    dim N <= 64; dim D = 6
    input codes: i4[N, D]
    input scale: e8m0[N]
    memory held: fp4[4, D]
    apply:
        y[n, d] = codes[n, d] * scale[n] + held[0, d]
    output y
"""


def test_callers_hand_over_bytes_or_values(tmp_path: Path) -> None:
    session = session_of(SCALED, "gpu", {}, {}, tmp_path)
    assert isinstance(session, ProgramSession)
    program, state = session.program, session.state
    codes, scale = np.array([[1, -2, 3, -4, 5, -8]]), np.array([0.5], np.float32)
    expected = codes * 0.5
    packed, exponents = pack(codes, "i4"), pack(scale, "e8m0")
    assert packed.tolist() == [[0xE1, 0xC3, 0x85]] and exponents.tolist() == [126]
    import ml_dtypes
    import torch

    ways = [
        (packed, exponents),
        (torch.from_numpy(packed), torch.from_numpy(exponents).view(torch.float8_e8m0fnu)),
        (codes.astype(ml_dtypes.int4), scale.astype(ml_dtypes.float8_e8m0fnu)),
        (codes.tolist(), [0.5]),
        (codes.astype(np.int8), scale),
    ]
    for given in ways:
        y = program.step("scaled")(state, codes=given[0], scale=given[1])["y"]
        np.testing.assert_array_equal(y.numpy(), expected)
    rows = np.arange(24).reshape(4, 6) / 8.0
    state.load("held", rows.astype(np.float32))
    np.testing.assert_array_equal(state.read("held"), to(rows, "fp4"))
    state.load("held", torch.from_numpy(pack(rows, "fp4")).view(torch.float4_e2m1fn_x2))
    np.testing.assert_array_equal(state.read("held", as_stored=True), pack(rows, "fp4"))
    refused = [
        (np.full((1, 6), 8), "8 does not fit i4"),
        (np.zeros((1, 4), np.uint8), "rows of 6 values of i4, or of 3 bytes"),
        (np.zeros((1, 6), np.float32), "expected i4 integers"),
    ]
    for wrong, message in refused:
        with pytest.raises(InputError, match=message):
            program.step("scaled")(state, codes=wrong, scale=scale)


def test_footprints_and_traffic_count_packed_bytes() -> None:
    text = """
pipeline p grows T by 1:
    dim T <= 1000
    input x: {0}[128]
    memory m: {0}[T, 128]
    apply:
        append(m, x)
        y[t] = sum[d](m[t, d])
    output y
"""
    for dtype, per_byte in (("i8", 1), ("i4", 2), ("fp4", 2), ("u2", 4)):
        source = SourceFile("p.mp", text.format(dtype))
        report = compile_source_file(source, Options("mi210", estimate={"T": 1000})).report
        ((row,), (stage,)) = report["memories"], report["stages"]
        assert (row["dtype"], row["bytes"], stage["bytes"]["memory"]) == (dtype, 128_000 / per_byte, 128_000 / per_byte)
        assert stage["bytes"]["written"] == 128 / per_byte + 4000
        assert stage["flop"] == 128_000 and stage["access"] == [
            "affine"
        ]  # taking values apart is no work of the program's
