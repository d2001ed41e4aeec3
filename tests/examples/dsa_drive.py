"""Steps of examples/dsa on a session, compared with the reference after every step."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tests.examples import dsa_reference as reference
from tests.executors import OracleSession, Session, rounded
from tests.selection import differing

# Small sizes that keep every structure: H heads of D = 2^LOG_D channels of which P rotate, G heads of N + P.
DIMS = {"E": 24, "R": 16, "H": 4, "LOG_D": 4, "K": 32, "G": 3, "N": 8, "P": 8, "V": 16}
MSCALE = 0.1 * math.log(40) + 1


@dataclass
class Case:
    """Weights by the program's names, the layer made of them, and each sequence's memory."""

    weights: dict[str, np.ndarray]
    layer: reference.Layer
    sequences: list[reference.Sequence]


def draw_case(rng: np.random.Generator, lengths: list[int], dims: dict[str, int] | None = None) -> Case:
    """Memories hold what the reference itself would have stored: fp8 values, powers of two, bf16 latents."""
    d = {**DIMS, **(dims or {})}
    size = 2 ** d["LOG_D"]
    shapes = {
        "Wk": (d["E"], size), "Wq": (d["R"], d["H"], size), "Ww": (d["E"], d["H"]),
        "Wuk": (d["G"], d["N"], d["V"]), "Wuv": (d["G"], d["V"], d["N"]),
    }  # fmt: skip
    weights = {name: rounded(rng.normal(size=shape) / math.sqrt(shape[0]), "bf16") for name, shape in shapes.items()}
    weights["gamma"] = rounded(1 + 0.1 * rng.normal(size=size), "f32")
    weights["beta"] = rounded(0.1 * rng.normal(size=size), "f32")
    layer = reference.Layer(
        wk=weights["Wk"], gain=weights["gamma"], bias=weights["beta"], wq=weights["Wq"], ww=weights["Ww"],
        wuk=weights["Wuk"], wuv=weights["Wuv"], rotation=reference.hadamard_rotation(size),
        frequencies=reference.rope_frequencies(d["P"]), count=d["K"],
        score_scale=MSCALE**2 / math.sqrt(d["N"] + d["P"]),
    )  # fmt: skip
    sequences = []
    for length in lengths:
        keys, scales = reference.quantize(rng.normal(size=(length, size)) * rng.lognormal(size=(length, 1)))
        latents = reference.to_bf16(rng.normal(size=(length, d["V"] + d["P"])))
        sequences.append(reference.Sequence(keys, scales, latents))
    return Case(weights, layer, sequences)


def load(session: Session, case: Case, capacity: int) -> None:
    """Put the sequences' memories into the session's state."""
    names = {"keys": "keys", "scale": "scales", "kv": "latents"}
    for name, field in names.items():
        held = [getattr(sequence, field) for sequence in case.sequences]
        array = np.zeros((len(held), capacity, *held[0].shape[1:]))
        for row, values in enumerate(held):
            array[row, : len(values)] = values
        session.load(name, array)


def draw_inputs(rng: np.random.Generator, rows: int, dims: dict[str, int] | None = None) -> dict[str, np.ndarray]:
    d = {**DIMS, **(dims or {})}
    shapes = {
        "x": (rows, d["E"]), "qr": (rows, d["R"]), "qn": (rows, d["G"], d["N"]), "qp": (rows, d["G"], d["P"]),
        "c": (rows, d["V"] + d["P"]),
    }  # fmt: skip
    return {name: rounded(rng.normal(size=shape), "bf16") for name, shape in shapes.items()}


@dataclass
class Tally:
    """What was seen where rounding may legitimately decide: picked entries and stored key channels that differ."""

    near_ties: int = 0
    key_steps: int = 0


def drive(
    session: Session, case: Case, rng: np.random.Generator, steps: int, dims: dict[str, int] | None = None
) -> Tally:
    """Run and compare steps. Each stage is judged on what it received: keys that the program stored are taken over."""
    tally = Tally()
    rows = len(case.sequences)
    before = [len(sequence.keys) for sequence in case.sequences]
    for _ in range(steps):
        inputs = draw_inputs(rng, rows, dims)
        outputs = session.call(**inputs, **case.weights)
        keys, scales, latents = (session.memory(name) for name in ("keys", "scale", "kv"))
        for b in range(rows):
            x, qr, plain, rotary, latent = (inputs[name][b] for name in ("x", "qr", "qn", "qp", "c"))
            old = case.sequences[b]
            new = reference.append_key(case.layer, old, x, latent)
            place = len(old.keys)
            np.testing.assert_array_equal(keys[b, :place], old.keys)
            np.testing.assert_array_equal(latents[b, : place + 1], new.latents)
            tally.key_steps += check_key(keys[b, place], scales[b, place], new.keys[place], new.scales[place])
            new.keys[place], new.scales[place] = keys[b, place], scales[b, place]
            case.sequences[b] = new
            scores = reference.index_scores(case.layer, new, x, qr)
            allowed = score_error(case.layer, new, x, qr)
            if isinstance(session, OracleSession):  # a program gives no scores: they stay on the device
                seen = session.value("s")[b]
                np.testing.assert_allclose(seen[: place + 1], scores, rtol=1e-5, atol=allowed, equal_nan=True)
            tally.near_ties += differing(outputs["picked"][b], scores, case.layer.count, allowed)
            picked = outputs["picked"][b]
            expected = reference.attend(case.layer, new, picked[picked >= 0], plain, rotary)
            np.testing.assert_allclose(outputs["o"][b], expected, rtol=2.0**-7, atol=2.0**-8 * np.abs(expected).max())
    expected_lengths = [length + steps for length in before]
    assert session.lengths["T"].tolist()[:rows] == expected_lengths
    return tally


def check_key(key: np.ndarray, scale: float, expected: np.ndarray, expected_scale: float) -> int:
    """A stored key: the reference's, or one step of fp8 away where a value fell on the other side of a tie."""
    if scale == expected_scale:
        step = np.maximum(np.abs(expected) / 8, 2.0**-9)
        assert np.all(np.abs(key - expected) <= step), (key, expected)
        return int(np.count_nonzero(key != expected))
    # The largest magnitude fell on the other side of a power of two: the values, not the codes, must agree.
    assert scale in (expected_scale / 2, expected_scale * 2)
    np.testing.assert_allclose(key * scale, expected * expected_scale, rtol=2.0**-3, atol=2.0**-8 * scale)
    return len(key)


def score_error(layer: reference.Layer, memory: reference.Sequence, x: np.ndarray, qr: np.ndarray) -> float:
    """How far scores may lie apart: f32 sums, and query channels that may round to the neighbouring fp8 value."""
    heads, size = layer.wq.shape[1:]
    query = reference.rotate_half(np.einsum("r,rhd->hd", qr, layer.wq), len(memory.keys) - 1, layer.frequencies)
    query, scale = reference.quantize(query @ layer.rotation)
    weight = np.abs(x @ layer.ww) * heads**-0.5 * scale * size**-0.5
    with np.errstate(invalid="ignore"):
        terms = np.nan_to_num(np.abs(memory.keys)) @ np.abs(query).T @ weight * memory.scales
    finite = terms[np.isfinite(terms)]
    return 2e-5 * float(finite.max(initial=0.0))


def plant(case: Case) -> None:
    """NaN and infinities among the scores of the first sequence: a NaN key channel, infinite scales."""
    memory = case.sequences[0]
    memory.keys[3, 5] = np.nan
    # A score is the scale times a sum of either sign: of these two equal keys one scores inf, the other -inf.
    memory.keys[6] = memory.keys[4]
    memory.scales[[4, 6]] = [-np.inf, np.inf]


def make_ties(case: Case) -> None:
    """Every token is one of five: their scores are equal in any arithmetic."""
    for memory in case.sequences:
        which = np.arange(len(memory.keys)) % 5
        memory.keys, memory.scales = memory.keys[which], memory.scales[which]
