"""Segments through examples/hmt on a session, compared with the reference after every step."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tests.examples import hmt_reference as reference
from tests.executors import OracleSession, Session, rounded

DIMS = {"B": 4, "L": 12, "E": 16, "H": 8, "N": 5, "K": 4}
BF16 = 2.0**-8
"""Half a step of bf16, relative to the value."""


@dataclass
class Case:
    weights: dict[str, np.ndarray]
    sequences: list[reference.Sequence]
    pushes: int = 0


def draw_case(rng: np.random.Generator, rows: int) -> Case:
    e, h = DIMS["E"], DIMS["H"]
    weights = {name: rounded(rng.normal(size=(e, h)) / math.sqrt(e), "bf16") for name in ("Wq", "Wk")}
    return Case(weights, [reference.empty(DIMS["N"], DIMS["K"], e) for _ in range(rows)])


def drive(session: Session, case: Case, rng: np.random.Generator, steps: int, exact: bool = False) -> None:
    """Each step is one segment, of any length: recall, then push.

    exact: small integers, and summaries of 0: a bank of 2^n embeddings is weighted evenly, and nothing is rounded."""
    rows, width = len(case.sequences), DIMS["E"]

    def draw(*shape: int) -> np.ndarray:
        return rng.integers(-3, 4, shape).astype(float) if exact else rounded(rng.normal(size=shape), "bf16")

    for _ in range(steps):
        length = int(rng.integers(1, DIMS["L"] + 1))
        summary = np.zeros((rows, width)) if exact else draw(rows, width)
        recall(session, case, summary, draw(rows, length, width), exact)
        push(session, case, draw(rows, width), exact)


def recall(session: Session, case: Case, summary: np.ndarray, segment: np.ndarray, exact: bool) -> None:
    session.step = "recall"
    outputs = session.call(q=summary, segment=segment, Wq=case.weights["Wq"])
    kept = session.memory("last")
    filled = len(case.sequences[0].bank)
    for b, memory in enumerate(case.sequences):
        retrieved = reference.retrieve(memory, summary[b], case.weights["Wq"])
        expected = reference.prompt(memory, retrieved, segment[b])
        seen = outputs["prompt"][b]
        assert seen.shape == expected.shape
        np.testing.assert_array_equal(seen[1:-1], expected[1:-1])  # copies
        np.testing.assert_array_equal(seen[0], seen[-1])
        if exact and filled & (filled - 1) == 0:
            np.testing.assert_array_equal(seen[0], retrieved)
        else:
            np.testing.assert_allclose(seen[0], retrieved, rtol=BF16, atol=error_of(session, memory))
        reference.see(memory, segment[b])
        np.testing.assert_array_equal(kept[b], memory.sensory)


def push(session: Session, case: Case, hidden: np.ndarray, exact: bool) -> None:
    """The key that the program stored is taken over, so that a tie in its rounding goes no further."""
    session.step = "push"
    session.call(m=hidden, Wk=case.weights["Wk"])
    bank, keys = session.memory("bank"), session.memory("keys")
    slot = case.pushes % DIMS["N"]
    case.pushes += 1
    for b, memory in enumerate(case.sequences):
        reference.push(memory, hidden[b], case.weights["Wk"])
        embedding, key = memory.bank[-1]
        if exact:
            np.testing.assert_array_equal(keys[b, slot], key)
        np.testing.assert_allclose(keys[b, slot], key, rtol=2 * BF16, atol=1e-5)
        memory.bank[-1] = (embedding, keys[b, slot].copy())
        # Every slot: the newest is where the oldest was, the others are as they were.
        for age, (embedding, key) in enumerate(reversed(memory.bank)):
            at = (slot - age) % DIMS["N"]
            np.testing.assert_array_equal(bank[b, at], embedding)
            np.testing.assert_array_equal(keys[b, at], key)


def error_of(session: Session, memory: reference.Sequence) -> float:
    """f32 sums and exponentials, relative to the embeddings that are weighted; float64 on the oracle."""
    largest = max((float(np.abs(embedding).max()) for embedding, _ in memory.bank), default=0.0)
    return largest * (1e-12 if isinstance(session, OracleSession) else 2e-5)
