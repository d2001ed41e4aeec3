"""What is compared: a pipeline on the processor, and other ways to the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Answer = Any
"""What a way gives: a numpy array, or several."""


@dataclass(frozen=True)
class Peer:
    """Another way to the same result.

    make: does what is done once (compiling, an index), given the number of threads, and gives what is timed; raises
    ImportError where its library is not installed. same: whether its answer is that of the pipeline; None where it
    rounds otherwise and is not compared.
    """

    name: str
    make: Callable[[int], Callable[[], Answer]]
    same: Callable[[Answer, Answer], bool] | None = None


@dataclass(frozen=True)
class Work:
    """name: as in the table. program: the pipeline's text, one step. dims: capacities and extents of its state.
    memories: what it holds. tensors: what a call is given. reads_bytes: what has to be read once. flop: operations
    that nothing does without. bound_by: what the generated kernel waits for, where that is not the floor."""

    name: str
    program: str
    dims: Mapping[str, int]
    memories: Mapping[str, Any]
    tensors: Mapping[str, Any]
    reads_bytes: float
    flop: float
    answer: Callable[[Mapping[str, Any]], Answer]
    peers: tuple[Peer, ...] = ()
    bound_by: str = ""
    batch: int = 1
    lengths: Mapping[str, Any] = field(default_factory=dict)


def near(first: Answer, second: Answer, tolerance: float = 2e-2) -> bool:
    """Whether two arrays agree, by the largest difference over the largest value."""
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    return one.shape == other.shape and float(np.abs(one - other).max()) <= tolerance * float(np.abs(other).max())


def same_picks(first: Answer, second: Answer, least: float = 0.98) -> bool:
    """Whether two selections name the same entries, but for those that rounding puts on the other side of the cut."""
    one, other = np.asarray(first).ravel(), np.asarray(second).ravel()
    return len(np.intersect1d(one, other)) >= least * len(other)
