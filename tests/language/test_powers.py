"""Powers of integers by run-time exponents, executed every way, against Python's integers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hetc.compiler.frontend import check_source
from hetc.source import SourceFile
from tests.language.running import WAYS, session_of

D = 10
BASES = (0, 1, -1, 2, 4, 1024, 3, -2, 7, 10, -9)
CONSTANT = "".join(
    f"        c{at}[d] = ({base}) ** e[d]; s{at}[d < D] = ({base}) ** (d % 4); l{at}[d] = ({base}) ** far[d]\n"
    for at, base in enumerate(BASES)
)
NAMES = ", ".join(f"c{at}, s{at}, l{at}" for at in range(len(BASES)))
TEXT = f"""
pipeline powers:
    dim D = {D}
    input e: i32[D]
    input far: i64[D]
    input n: i32[D]
    input wide: i64[D]
    input x: f32[D]
    memory m: i32[D] = 1

    apply:
{CONSTANT}
        run_time[d] = n[d] ** e[d]
        small[d] = pow(n[d], e[d] & 7)
        longs[d] = wide[d] ** e[d]
        widened[d] = n[d] ** far[d]
        places[d < D] = d ** (d // 2)
        fifth[d] = n[d] ** 5
        none[d] = n[d] ** 0
        exact[d < D] = (d + 1000) ** 6
        below[d] = n[d] ** -1
        blocks[d < D] = x[d // 4 ** (d % 2)]
        mixed[d] = 2.0 ** e[d] + x[d] ** (d % 3)
        digits[d < D] = sum[j < 5](10 ** j * (d + j) % 10)
        missing[d < D] = 3 ** (e[d + 9] & 3)
        truth[d] = 5 ** (n[d] > 3)
        chosen[d] = where(n[d] > 3, i64(70_000), 3) * where(n[d] < 5, i64(70_000), 1)
        m[d] *= 3 ** (d % 5)
    output {NAMES}
    output run_time, small, longs, widened, places, fifth, none, exact, below, blocks, mixed, digits, missing
    output truth, chosen, m
"""


def wrap(value: int, width: int = 32) -> int:
    return (value + 2 ** (width - 1)) % 2**width - 2 ** (width - 1)


def power(base: int, exponent: int, width: int = 32) -> int:
    return wrap(pow(base, exponent, 2**width), width) if exponent >= 0 else 0


@pytest.mark.parametrize("way", WAYS)
def test_they_are_those_of_integers(way: str, tmp_path: Path) -> None:
    random = np.random.default_rng()
    e = np.concatenate([random.integers(0, 40, 5), [-1, -(2**31), 2**31 - 1, 31, 2**30 + 1]]).astype(np.int32)
    far = np.concatenate([random.integers(0, 70, 5), [-3, 2**62, 2**63 - 1, -(2**63), 2**32 + 1]])
    n = np.concatenate([random.integers(-9, 9, 6), [4], random.integers(-(2**31), 2**31, 3)]).astype(np.int32)
    wide = random.integers(-(2**63), 2**63 - 1, D)
    x = random.normal(size=D).astype(np.float32) + 2
    found = session_of(TEXT, way, {}, {}, tmp_path).call(e=e, far=far, n=n, wide=wide, x=x)
    E, F, N, W = (array.tolist() for array in (e, far, n, wide))
    expected: dict[str, list[int]] = {}
    for at, base in enumerate(BASES):
        expected[f"c{at}"] = [power(base, item) for item in E]
        expected[f"s{at}"] = [power(base, d % 4) for d in range(D)]
        expected[f"l{at}"] = [power(base, item, 64) for item in F]
    expected |= {
        "run_time": [power(a, b) for a, b in zip(N, E, strict=True)],
        "small": [power(a, b & 7) for a, b in zip(N, E, strict=True)],
        "longs": [power(a, b, 64) for a, b in zip(W, E, strict=True)],
        "widened": [power(a, b, 64) for a, b in zip(N, F, strict=True)],
        "places": [d ** (d // 2) for d in range(D)],
        "fifth": [wrap(a**5) for a in N],
        "none": [1] * D,
        "exact": [(d + 1000) ** 6 for d in range(D)],
        "digits": [sum(10**j * (d + j) % 10 for j in range(5)) for d in range(D)],
        "missing": [power(3, E[9] & 3), *[0] * 9],
        "truth": [5 if a > 3 else 1 for a in N],
        "chosen": [(70_000 if a > 3 else 3) * (70_000 if a < 5 else 1) for a in N],
        "m": [3 ** (d % 5) for d in range(D)],
    }
    for name, value in expected.items():
        assert found[name].tolist() == value, name
    with np.errstate(divide="ignore", over="ignore"):
        np.testing.assert_allclose(found["below"], 1 / n.astype(np.float32), 1e-6)
        exponents = np.arange(D) % 3
        np.testing.assert_allclose(found["mixed"], np.float32(2.0) ** e.astype(np.float32) + x**exponents, 1e-5)
    assert found["blocks"].tolist() == [x[d // 4 ** (d % 2)] for d in range(D)]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("4 ** (-1 - d)", "HET106"),
        ("n[d] ** -(d + 1)", "HET106"),
        ("n[d] ** 100_000", "HET106"),
        ("3_000_000_000 ** n[d]", "HET106"),
        ("2 ** (d * 2 ** 40 * 2 ** 40)", "HET106"),
        ("4 ** -1 + n[d]", ""),
        ("true ** n[d]", ""),
    ],
)
def test_what_has_no_meaning_is_refused(value: str, code: str) -> None:
    text = f"pipeline p:\n    dim D = 4\n    input n: i32[D]\n    apply:\n        y[d] = n[d] + {value}\n    output y\n"
    found = [item.code for item in check_source(SourceFile("p.mp", text))[1] if item.severity == "error"]
    assert found == ([code] if code else [])
