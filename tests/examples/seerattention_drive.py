"""Steps of examples/seerattention_topk and seerattention_threshold on a session, each compared with the reference."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tests.examples import seerattention_reference as reference
from tests.examples.dsa_reference import to_bf16
from tests.executors import OracleSession, Session, rounded
from tests.selection import differing

# Small sizes that keep every structure: several heads, groups of several queries, a gate narrower than a head.
SHAPE = {"H": 2, "G": 2, "D": 16, "C": 8, "S": 8}
DIMS = {"seerattention_topk": {**SHAPE, "K": 3}, "seerattention_threshold": {**SHAPE, "M": 8}}


@dataclass
class Case:
    """Weights by the program's names, the layer made of them, and each sequence's memory."""

    weights: dict[str, np.ndarray]
    layer: reference.Layer
    sequences: list[reference.Sequence]


def draw_case(rng: np.random.Generator, name: str, lengths: list[int], dims: dict[str, int] | None = None) -> Case:
    """Memories hold what the reference itself would have stored."""
    d = {**DIMS[name], **(dims or {})}
    wq = rng.normal(size=(d["H"], d["G"], d["D"], d["C"])) / math.sqrt(d["G"] * d["D"])
    wk = 2 * rng.normal(size=(d["H"], 3 * d["D"], d["C"])) / math.sqrt(d["D"])
    weights = {"Wq": rounded(wq, "bf16"), "Wk": rounded(wk, "bf16")}
    count, threshold = (d["K"], 0.0) if "K" in d else (None, 1 / d["M"])
    layer = reference.Layer(weights["Wq"], weights["Wk"], d["S"], count, threshold)
    return Case(weights, layer, [draw_sequence(rng, layer, length, d) for length in lengths])


def draw_sequence(
    rng: np.random.Generator, layer: reference.Layer, length: int, dims: dict[str, int]
) -> reference.Sequence:
    plain = to_bf16(rng.normal(size=(length, dims["H"], dims["D"])))
    return sequence_of(layer, plain, to_bf16(rng.normal(size=plain.shape)))


def sequence_of(layer: reference.Layer, plain: np.ndarray, values: np.ndarray) -> reference.Sequence:
    """The memory after these tokens: keys before the rotary embedding and values [length, H, D], bf16."""
    keys = np.array([reference.rotate(key, place) for place, key in enumerate(plain)]).reshape(plain.shape)
    starts = range(0, len(plain) - len(plain) % layer.block, layer.block)
    gate = [reference.gate_key(layer, plain[start : start + layer.block], start) for start in starts]
    shape = (len(gate), plain.shape[1], layer.wk.shape[-1])
    return reference.Sequence(plain, to_bf16(keys), values, to_bf16(np.array(gate).reshape(shape)))


def load(session: Session, case: Case, capacity: int) -> None:
    """Put the sequences' memories into the session's state, whose capacity is `capacity` tokens."""
    block, rows = case.layer.block, len(case.sequences)
    (heads, size), gate_size = case.sequences[0].keys.shape[1:], case.layer.wk.shape[-1]
    arrays = {
        "keys": np.zeros((rows, capacity, heads, size)),
        "values": np.zeros((rows, capacity, heads, size)),
        "gate": np.zeros((rows, capacity // block, heads, gate_size)),
        "recent": np.zeros((rows, block, heads, size)),
    }
    for row, memory in enumerate(case.sequences):
        for name in ("keys", "values", "gate"):
            held = getattr(memory, name)
            arrays[name][row, : len(held)] = held
        for place in range(max(len(memory) - block, 0), len(memory)):
            arrays["recent"][row, place % block] = memory.plain[place]
    for name, array in arrays.items():
        session.load(name, array)


def draw_inputs(rng: np.random.Generator, case: Case) -> dict[str, np.ndarray]:
    heads, group, size = case.layer.wq.shape[:3]
    rows = len(case.sequences)
    shapes = {"q": (rows, heads, group, size), "k": (rows, heads, size), "v": (rows, heads, size)}
    return {name: rounded(rng.normal(size=shape), "bf16") for name, shape in shapes.items()}


@dataclass
class Tally:
    """What was seen where rounding may legitimately decide: chosen blocks and stored bf16 channels that differ."""

    near_ties: int = 0
    stored: int = 0


def drive(session: Session, case: Case, rng: np.random.Generator, steps: int) -> Tally:
    """Run and compare steps on drawn inputs."""
    tally = Tally()
    before = [len(memory) for memory in case.sequences]
    for _ in range(steps):
        step(session, case, draw_inputs(rng, case), tally)
    assert session.lengths["T"].tolist()[: len(before)] == [length + steps for length in before]
    return tally


def step(session: Session, case: Case, inputs: dict[str, np.ndarray], tally: Tally) -> dict[str, np.ndarray]:
    """One step. Each stage is judged on what it received: keys that the program stored are taken over."""
    outputs = session.call(**inputs, **case.weights)
    memories = {name: session.memory(name) for name in ("keys", "values", "recent", "gate")}
    for row in range(len(case.sequences)):
        q, k, v = (inputs[name][row] for name in ("q", "k", "v"))
        old = case.sequences[row]
        new = reference.append(case.layer, old, k, v)
        held = {name: array[row] for name, array in memories.items()}
        tally.stored += check_memory(case.layer, old, new, held)
        new.keys, new.gate = held["keys"][: len(new)].copy(), held["gate"][: len(new.gate)].copy()
        case.sequences[row] = new
        kept = outputs["kept"][row]
        seen = session.value("s")[row] if isinstance(session, OracleSession) else None
        tally.near_ties += check_choice(case.layer, new, q, kept, seen)
        blocks = [own[own >= 0] for own in kept]
        expected = reference.attend(case.layer, new, blocks, q)
        np.testing.assert_allclose(outputs["o"][row], expected, rtol=2.0**-7, atol=2.0**-8 * np.abs(expected).max())
    return outputs


def check_memory(
    layer: reference.Layer, old: reference.Sequence, new: reference.Sequence, held: dict[str, np.ndarray]
) -> int:
    """Old rows stay as they are; new ones are the reference's, or one bf16 step away. Counts those channels."""
    place, blocks = len(old), len(old.gate)
    np.testing.assert_array_equal(held["keys"][:place], old.keys)
    np.testing.assert_array_equal(held["gate"][:blocks], old.gate)
    np.testing.assert_array_equal(held["values"][: place + 1], new.values)
    for token in range(place - place % layer.block, place + 1):
        np.testing.assert_array_equal(held["recent"][token % layer.block], new.plain[token])
    apart = rounded_apart(held["keys"][place], new.keys[place])
    return apart + rounded_apart(held["gate"][blocks : len(new.gate)], new.gate[blocks:])


def rounded_apart(actual: np.ndarray, expected: np.ndarray) -> int:
    """Values that were rounded to another bf16 than expected; fails where it is not the neighbouring one."""
    largest = float(np.abs(expected).max(initial=0.0))
    np.testing.assert_allclose(actual, expected, rtol=2.0**-7, atol=1e-6 * largest)
    return int(np.count_nonzero(actual != expected))


def check_choice(
    layer: reference.Layer, memory: reference.Sequence, q: np.ndarray, kept: np.ndarray, seen: np.ndarray | None
) -> int:
    """Chosen blocks against the reference's scores, and the last block beside them; counts near ties.

    kept [H, blocks + 1]. seen [H, complete blocks]: what the program computed the choice from, where it can be seen."""
    plain, scores = reference.logits(layer, memory, q), reference.scores(layer, memory, q)
    query = np.abs(reference.gate_query(layer, q, len(memory) - 1))
    terms = np.einsum("hc,nhc->hn", query, np.abs(memory.gate)) / math.sqrt(query.shape[-1])
    allowed = 2e-5 * float(terms.max(initial=0.0))
    last, count = (len(memory) - 1) // layer.block, kept.shape[1] - 1
    if seen is not None:
        compared = plain if layer.count is not None else scores
        np.testing.assert_allclose(seen[:, : plain.shape[1]], compared, rtol=1e-5, atol=allowed)
    near_ties = 0
    for own, of_head, unscaled in zip(kept, scores, plain, strict=True):
        picked = own[:count]
        if layer.count is not None:
            near_ties += differing(picked, unscaled, count, allowed)
        else:
            used = picked[picked >= 0]
            assert np.all(np.diff(used) > 0), f"not ascending: {picked}"
            near = layer.threshold * (4 * allowed + 1e-5)
            near_ties += differing(picked, of_head, count, near, above=layer.threshold)
        assert own[count] == (-1 if last in picked else last), f"the last block is {last}, kept are {own}"
    return near_ties


def make_ties(case: Case) -> None:
    """The gate's key of every block is one of three: their scores are equal in any arithmetic."""
    for memory in case.sequences:
        memory.gate = memory.gate[np.arange(len(memory.gate)) % 3]


INTEGER_DIMS = {"C": 16}
"""As many gate channels as a head's: the integers below pass through."""


def integer_case(name: str, length: int) -> Case:
    """One sequence of `length` tokens whose scores are integers, all different, and far enough apart that any
    arithmetic chooses the same: keys are distinct integers below 256 in the channel that turns slowest, the gate
    takes the largest of a block, and the values are small integers, none of them 0."""
    rng = np.random.default_rng(40)
    case = draw_case(rng, name, [0], INTEGER_DIMS)
    channel = slowest(case)
    for weight in case.weights.values():
        weight[:] = 0
    case.weights["Wq"][:, 0, channel, channel] = case.weights["Wk"][:, channel, channel] = 1
    plain = np.array([integer_token(case, place)["k"][0] for place in range(length)])
    values = np.array([integer_token(case, place)["v"][0] for place in range(length)])
    case.sequences = [sequence_of(case.layer, plain, values)]
    return case


def integer_token(case: Case, place: int) -> dict[str, np.ndarray]:
    """The inputs of the token at `place`: the first query of a group prefers large keys, the second small ones."""
    heads, group, size = case.layer.wq.shape[:3]
    block, inside = divmod(place, case.layer.block)
    assert place < 256 and case.layer.block == 8
    q, k = np.zeros((1, heads, group, size)), np.zeros((1, heads, size))
    q[..., 0, slowest(case)], q[..., 1, slowest(case)] = 64, -64
    # The first of every four blocks has the largest keys of all so far: it is chosen as soon as it is complete.
    k[..., slowest(case)] = 8 * (block ^ 3) + (5 * inside + 3) % 8
    return {"q": q, "k": k, "v": np.random.default_rng(place).integers(1, 9, k.shape).astype(np.float64)}


def slowest(case: Case) -> int:
    """The first channel of the pair whose rotary frequency is the lowest: 200 positions turn it by a thousandth."""
    return case.layer.wq.shape[2] // 2 - 1


def drive_integers(session: Session, case: Case, steps: int) -> int:
    """Everything is compared exactly. Counts the steps in which the last block was complete and chosen by its score."""
    chosen = 0
    for _ in range(steps):
        tally = Tally()
        inputs = integer_token(case, len(case.sequences[0]))
        before = case.sequences[0]
        outputs = step(session, case, inputs, tally)
        assert tally == Tally()
        _, blocks, output = reference.step(case.layer, before, *(inputs[name][0] for name in "qkv"))
        for own, expected in zip(outputs["kept"][0], blocks, strict=True):
            assert sorted(own[own >= 0].tolist()) == expected.tolist()
        np.testing.assert_array_equal(outputs["o"][0], to_bf16(output))
        chosen += int((outputs["kept"][0, :, -1] < 0).any())
    return chosen
