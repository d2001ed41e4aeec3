"""How a random program's twin stores numbers and quantises them. Nothing here comes from the compiler."""

from __future__ import annotations

import math

import numpy as np

from random_programs.twin_numbers import ALLOWED, UNIT, Lane, exact


def quantize(lanes: list[Lane], to: str, rule: str, floor: float, block: int | None) -> tuple[list[Lane], list[Lane]]:
    """(narrow values, scales): for each block, or for all without one, the scale is max(largest magnitude, floor) /
    limit, or the least power of two not below it (pow2), or the power of two of its exponent less limit's (e8m0), or
    rounded to a narrow float. Values by a scale that is rounded may be off where they nearly lie between two."""
    limit = {"fp8": 448, "i8": 127, "i4": 7, "fp4": 6, "i2": 1}[to]
    values: list[Lane] = []
    scales: list[Lane] = []
    block = block or max(len(lanes), 1)
    for start in range(0, max(len(lanes), 1), block):
        part = [value for value, _ in lanes[start : start + block]]
        largest = max(*map(abs, part), 0.0, float(np.float32(floor)))
        needed = largest / limit
        if rule in ("pow2", "e8m0"):
            mantissa, exponent = math.frexp(needed)
            scale = 2.0 ** (exponent - 1 if mantissa == 0.5 else exponent)
            if rule == "e8m0":
                exponent = math.frexp(largest)[1] - math.frexp(limit)[1] if largest else _LEAST_POWER
                scale = 2.0 ** max(exponent, _LEAST_POWER)
            scales.append(exact(scale))
            narrow = [_quantized(value / scale, to, limit) for value in part]
            values += [exact(value) if to in _FORMATS else value for value in narrow]
        elif rule != "f32":
            scale = _nearest(rule, float(np.float32(largest) / np.float32(limit))) or _LEAST[rule]
            scales.append(exact(scale))
            values += [_near(value / scale, to, limit) for value in part]
        else:
            scales.append((needed, 2 * needed))
            values += [_near(value / needed, to, limit) for value in part]
    return values, scales


def _quantized(value: float, to: str, limit: int) -> float:
    return _nearest(to, value) if to in _FORMATS else max(-limit - 1, min(limit, round(value)))


def _near(value: float, to: str, limit: int) -> Lane:
    """What a value with a few roundings in it may become."""
    off = abs(value) * 8 * UNIT
    kept = _quantized(value, to, limit)
    away = max(abs(_quantized(value + side, to, limit) - kept) for side in (off, -off))
    return (float(kept), away / (ALLOWED * UNIT))


def store(dtype: str, lane: Lane) -> Lane:
    """A lane as a memory of that dtype keeps it: rounded to nearest even, integers saturating. A number that may be off
    may be rounded to either side, which is its error then."""
    if isinstance(lane, tuple):
        if dtype == "f32" or dtype in _RANGES:  # a quantised value is whole
            return lane
        value, error = _nearest(dtype, lane[0]), lane[1] * ALLOWED * UNIT
        away = max(abs(_nearest(dtype, lane[0] + side) - value) for side in (error, -error))
        return (value, away / (ALLOWED * UNIT))
    if isinstance(lane, bool):
        return lane
    low, high = _RANGES.get(dtype, (-(2**31), 2**31 - 1))
    return min(max(lane, low), high)


_RANGES = {
    "i2": (-2, 1),
    "u2": (0, 3),
    "i4": (-8, 7),
    "u4": (0, 15),
    "i8": (-128, 127),
    "u8": (0, 255),
    "i16": (-(2**15), 2**15 - 1),
    "i64": (-(2**63), 2**63 - 1),
}


_FORMATS = {
    "f16": (10, -14, 65504.0),
    "bf16": (7, -126, 3.3895e38),
    "fp8": (3, -6, 448.0),
    "fp8e5m2": (2, -14, 57344.0),
    "fp4": (1, 0, 6.0),
}
_LEAST = {"f16": 2.0**-24, "bf16": 2.0**-133, "fp8": 2.0**-9}
_LEAST_POWER = -127
"""Of e8m0: it holds powers of two from here on, and no 0."""


def _nearest(dtype: str, value: float) -> float:
    """Round to nearest even with so many mantissa bits, gradual underflow and saturation; of powers of two to the
    nearest one, the larger of two."""
    if dtype == "e8m0":
        fraction, exponent = math.frexp(max(value, 2.0**_LEAST_POWER))
        return 2.0 ** (exponent if fraction >= 0.75 else exponent - 1)
    mantissa_bits, lowest_exponent, limit = _FORMATS[dtype]
    if value == 0:
        return 0.0
    exponent = max(math.frexp(value)[1] - 1, lowest_exponent)
    step = 2.0 ** (exponent - mantissa_bits)
    return math.copysign(min(round(abs(value) / step) * step, limit), value)
