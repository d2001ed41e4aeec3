"""Chunks through examples/lact on a session, compared with the reference after every step."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from tests.examples import lact_reference as reference
from tests.executors import OracleSession, Session, rounded

DIMS = {"B": 4, "L": 10, "H": 2, "D": 8, "F": 6}
BF16 = 2.0**-8
"""Half a step of bf16, relative to the value."""
WEIGHTS, MOMENTA = ("W0", "W1", "W2"), ("M0", "M1", "M2")


@dataclass
class Case:
    """Learned starts by the program's names; what each sequence's memories hold, [B, H, ., .] by name."""

    starts: dict[str, np.ndarray]
    memories: dict[str, np.ndarray]
    rows: int


def draw_case(rng: np.random.Generator, rows: int) -> Case:
    h, d, f = (DIMS[name] for name in ("H", "D", "F"))
    shapes = {"start0": (h, f, d), "start1": (h, d, f), "start2": (h, f, d)}
    starts = {name: rounded(rng.normal(size=s) / math.sqrt(s[-1]), "f32") for name, s in shapes.items()}
    return Case(starts, {}, rows)


def draw_inputs(rng: np.random.Generator, rows: int, length: int) -> dict[str, np.ndarray]:
    """Queries and keys of length 1 and values, as the layer hands them on; learning rates and momenta above 0."""
    shape = (rows, length, DIMS["H"], DIMS["D"])
    drawn = {name: rng.normal(size=shape) for name in ("q", "k", "v")}
    for name in ("q", "k"):
        drawn[name] /= np.linalg.norm(drawn[name], axis=-1, keepdims=True)
    inputs = {name: rounded(value, "bf16") for name, value in drawn.items()}
    inputs["lr"] = rounded(np.exp(rng.normal(size=(rows, length, 3, DIMS["H"])) - 3), "f32")
    inputs["beta"] = rounded(rng.uniform(0.5, 1, (rows, length, DIMS["H"])), "f32")
    return inputs


def begin(session: Session, case: Case, fresh: np.ndarray) -> None:
    """Sequences that begin take the learned weights and no momentum, to the bit; the others keep theirs."""
    session.step = "begin"
    before = {name: session.memory(name).copy() for name in (*WEIGHTS, *MOMENTA)}
    session.call(fresh=fresh, **case.starts)
    for number in range(3):
        start = case.starts[f"start{number}"]
        before[WEIGHTS[number]][fresh] = start
        before[MOMENTA[number]][fresh] = 0
    for name, expected in before.items():
        np.testing.assert_array_equal(session.memory(name), expected)
    case.memories = before


def drive(session: Session, case: Case, rng: np.random.Generator, steps: int) -> None:
    """Each step is one chunk, of any length. Now and then a sequence ends and another takes its row."""
    begin(session, case, np.ones(case.rows, bool))
    for number in range(steps):
        chunk(session, case, draw_inputs(rng, case.rows, int(rng.integers(1, DIMS["L"] + 1))))
        if number % 5 == 4:
            begin(session, case, rng.random(case.rows) < 0.3)


def chunk(session: Session, case: Case, inputs: dict[str, np.ndarray]) -> None:
    """One chunk. What the program's momenta then hold is what its weights are judged by, and what both hold is taken
    over, so that errors do not add up."""
    session.step = "chunk"
    outputs = session.call(**inputs, **case.starts)
    found = {name: np.array(session.memory(name)) for name in (*WEIGHTS, *MOMENTA)}
    exact = isinstance(session, OracleSession)  # computes in float64, and stores f32
    for b in range(case.rows):
        for h in range(DIMS["H"]):
            q, k, v = (torch.from_numpy(inputs[name][b, :, h]) for name in ("q", "k", "v"))
            rates, decay = torch.from_numpy(inputs["lr"][b, :, :, h]), torch.from_numpy(inputs["beta"][b, :, h])
            weights, before = (tensors(case.memories, names, b, h) for names in (WEIGHTS, MOMENTA))
            output = reference.forward(weights, q).numpy()
            allowed = np.abs(output).max() * (1e-9 if exact else 2e-5)
            np.testing.assert_allclose(outputs["o"][b, :, h], output, rtol=BF16, atol=allowed)
            steps = reference.descent(weights, k, v, rates)
            for number, expected in enumerate(reference.momentum(before, steps, decay)):
                seen = found[MOMENTA[number]][b, h]
                allowed = float(expected.abs().max()) * (2.0**-23 if exact else 2e-5)
                np.testing.assert_allclose(seen, expected.numpy(), rtol=0, atol=allowed)
                start = torch.from_numpy(case.starts[f"start{number}"][h])
                expected = reference.trained(weights[number], torch.from_numpy(seen), start)
                # The program's constants are f32: five iterations with each. An iteration in f32 makes what was rounded
                # among small singular values up to 3.4445 times as large, 485 times all five.
                allowed = float(expected.abs().max()) * (2.0**-20 if exact else 485 * 2.0**-22)
                np.testing.assert_allclose(found[WEIGHTS[number]][b, h], expected.numpy(), rtol=0, atol=allowed)
    case.memories = found


def tensors(memories: dict[str, np.ndarray], names: tuple[str, ...], b: int, h: int) -> reference.Weights:
    first, second, third = (torch.from_numpy(memories[name][b, h]) for name in names)
    return first, second, third
