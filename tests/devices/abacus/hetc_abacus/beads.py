"""What printed kernels call: numbers as they are stored, and queues."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetc.numerics.rounding import encode
from hetc.runtime.elements import element_type, host_dtype, stored

F = np.float32
maximum, minimum, exp, sqrt = np.maximum, np.minimum, np.exp, np.sqrt


def load(array: NDArray, place: int, element: str) -> Any:
    """One element as a number: a float32, an int or a bool."""
    value = stored(array[place : place + 1], element)[0]
    kind = element_type(element).kind
    return bool(value) if kind == "bool" else F(value) if element_type(element).is_float else int(value)


def store(array: NDArray, place: int, value: Any, element: str) -> None:
    """One element, rounded or saturated."""
    array[place] = _bits(value, element)[0]


def rounded(value: Any, element: str) -> Any:
    """A number as an element of that type holds it."""
    if element in ("f32", "i32", "i64", "bool", "index", "index64"):
        return value
    return load(_bits(value, element), 0, element)


def _bits(value: Any, element: str) -> NDArray:
    name = {"index": "i32", "index64": "i64"}.get(element, element)
    return np.asarray(encode(np.array([value]), name)).view(host_dtype(element))


def wrapped(value: int, width: int) -> int:
    """An integer in so many bits."""
    half = 1 << (width - 1)
    return (value + half) % (2 * half) - half


class Queue:
    """The best pairs of score and index."""

    def __init__(self, size: int):
        self.size, self.offered, self.pairs = size, 0, []  # type: ignore[var-annotated]

    def push(self, score: Any, index: int) -> None:
        if score == score and score != -np.inf:
            self.offered += 1
            self.pairs = sorted([*self.pairs, (-score, index)])[: self.size]

    def arrange(self, order: str) -> None:
        if order == "index":
            self.pairs.sort(key=lambda pair: pair[1])

    def entry(self, place: int) -> tuple[Any, int]:
        if place >= len(self.pairs):
            return F("-inf"), -1
        score, index = self.pairs[place]
        return -score, index
