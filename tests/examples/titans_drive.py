"""Segments through examples/titans on a session, compared with the reference after every step."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from tests.examples import titans_reference as reference
from tests.executors import OracleSession, Session, rounded

DIMS = {"B": 4, "L": 9, "P": 3, "E": 12, "H": 3, "F": 16}
BF16 = 2.0**-8
"""Half a step of bf16, relative to the value."""
MEMORIES = {"M1": "first", "M2": "second", "S1": "surprise_first", "S2": "surprise_second"}


@dataclass
class Case:
    """Weights by the program's names, the layer made of them, and each sequence's memory."""

    weights: dict[str, np.ndarray]
    layer: reference.Layer
    memories: list[reference.Memory]

    @property
    def starts(self) -> dict[str, np.ndarray]:
        return {name: self.weights[name] for name in ("start1", "start2")}

    @property
    def others(self) -> dict[str, np.ndarray]:
        return {name: value for name, value in self.weights.items() if name not in self.starts}


def draw_case(rng: np.random.Generator, rows: int) -> Case:
    """Each token has rates of its own: forgetting near 0.002, momentum near 0.7, learning near 0.007. With larger ones
    the memory runs away, as gradient descent does."""
    p, e, h, f = (DIMS[name] for name in ("P", "E", "H", "F"))
    d = e // h
    shapes = {
        "persistent": (p, e), "Wq": (e, e), "Wk": (e, e), "Wv": (e, e),
        "Aq": (e, h, d), "Ak": (e, h, d), "Av": (e, h, d), "Ao": (h, d, e),
    }  # fmt: skip
    weights = {name: rounded(rng.normal(size=shape) * 1.5 / math.sqrt(e), "bf16") for name, shape in shapes.items()}
    weights["persistent"] = rounded(rng.normal(size=(p, e)), "bf16")
    weights["gate"] = rounded(0.5 * rng.normal(size=(3, e)), "f32")
    weights["bias"] = rounded([-6.0, 1.0, -5.0], "f32")
    weights["start1"] = rounded(0.7 * rng.normal(size=(f, e)), "f32")
    weights["start2"] = rounded(rng.normal(size=(e, f)) / math.sqrt(f), "f32")
    tensors = {name.lower(): torch.from_numpy(value) for name, value in weights.items()}
    first, second = tensors.pop("start1"), tensors.pop("start2")
    layer = reference.Layer(**tensors)
    return Case(weights, layer, [reference.begun(first, second) for _ in range(rows)])


def begin(session: Session, case: Case, fresh: np.ndarray) -> None:
    """Sequences that begin take the learned memory, to the bit; the others keep theirs."""
    session.step = "begin"
    before = {name: session.memory(name).copy() for name in MEMORIES}
    session.call(fresh=fresh, **case.starts)
    for b, begins in enumerate(fresh):
        if begins:
            case.memories[b] = reference.begun(*(torch.from_numpy(start) for start in case.starts.values()))
    for name, field in MEMORIES.items():
        for b, begins in enumerate(fresh):
            expected = getattr(case.memories[b], field).numpy() if begins else before[name][b]
            np.testing.assert_array_equal(session.memory(name)[b], expected)


def drive(session: Session, case: Case, rng: np.random.Generator, steps: int) -> None:
    """Each step is one segment, of any length. Now and then a sequence ends and another takes its row."""
    rows = len(case.memories)
    begin(session, case, np.ones(rows, bool))
    for number in range(steps):
        length = int(rng.integers(1, DIMS["L"] + 1))
        segment(session, case, rounded(rng.normal(size=(rows, length, DIMS["E"])), "bf16"))
        if number % 5 == 4:
            begin(session, case, rng.random(rows) < 0.3)


def segment(session: Session, case: Case, x: np.ndarray) -> None:
    """One segment; what the program's memory then holds is taken over, so that errors do not add up."""
    session.step = "segment"
    outputs = session.call(x=x, **case.others)
    exact = isinstance(session, OracleSession)  # computes in float64
    for b, memory in enumerate(case.memories):
        new, output = reference.step(case.layer, memory, torch.from_numpy(x[b]))
        size = float(output.abs().max())
        np.testing.assert_allclose(outputs["o"][b], output.numpy(), rtol=BF16, atol=size * (1e-9 if exact else 1e-4))
        for name, field in MEMORIES.items():
            expected, found = getattr(new, field).numpy(), session.memory(name)[b]
            assert np.isfinite(expected).all()
            allowed = np.abs(expected).max() * (1e-6 if exact else 2e-5)
            np.testing.assert_allclose(found, expected, atol=allowed, rtol=0, err_msg=name)
            setattr(new, field, torch.from_numpy(np.array(found)))
        case.memories[b] = new
