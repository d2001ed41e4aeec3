"""Steps of examples/lserve on a session, each compared with the reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.examples import lserve_reference as reference
from tests.examples.dsa_reference import to_bf16
from tests.examples.seerattention_drive import Tally, rounded_apart
from tests.executors import OracleSession, Session, rounded
from tests.selection import differing

# Small sizes that keep every structure: several logical pages a page, sinks and local tokens of several pages.
DIMS = {"H": 2, "G": 2, "D": 16, "L": 4, "M": 2, "K": 4, "U": 4, "SINK": 8, "LOCAL": 16}


@dataclass
class Case:
    layer: reference.Layer
    dims: dict[str, int]
    sequences: list[reference.Sequence]
    calls: int = 0


def draw_case(rng: np.random.Generator, lengths: list[int], dims: dict[str, int] | None = None) -> Case:
    """Memories hold what the reference itself would have stored."""
    d = {**DIMS, **(dims or {})}
    layer = reference.Layer(d["L"], d["L"] * d["M"], d["K"], d["U"], d["SINK"], d["LOCAL"])
    return Case(layer, d, [draw_sequence(rng, layer, d, length) for length in lengths])


def draw_sequence(
    rng: np.random.Generator, layer: reference.Layer, dims: dict[str, int], length: int
) -> reference.Sequence:
    shape = (length, dims["H"], dims["D"])
    return sequence_of(layer, *(rng.normal(size=shape) for _ in range(4)))


def sequence_of(layer: reference.Layer, k: np.ndarray, v: np.ndarray, ks: np.ndarray, vs: np.ndarray
                ) -> reference.Sequence:  # fmt: skip
    """The memory after these tokens: rotated keys and values [T, H, D] of both kinds of heads."""
    caches = [
        reference.Cache(*reference.quantize(keys), *reference.quantize(values)) for keys, values in ((k, v), (ks, vs))
    ]
    starts = range(0, len(k), layer.logical)
    pages = [to_bf16(k[start : start + layer.logical]) for start in starts]
    shape = (len(pages), *k.shape[1:])
    high, low = (np.array([bound(page, axis=0) for page in pages]).reshape(shape) for bound in (np.max, np.min))
    return reference.Sequence(*caches, high, low, [], 0)


def slot(layer: reference.Layer, place: int) -> int:
    """Where a streaming head keeps the token at `place`: the sinks stay, the others take turns."""
    return place if place < layer.sink else layer.sink + (place - layer.sink) % layer.local


def load(session: Session, case: Case, capacity: int) -> None:
    """Put the sequences' memories into the session's state, whose capacity is `capacity` tokens."""
    layer, d, rows = case.layer, case.dims, len(case.sequences)
    heads, size, window = d["H"], d["D"], layer.sink + layer.local
    pages = -(-capacity // layer.logical)
    arrays = {
        "keys": np.zeros((rows, capacity, heads, size), np.int64),
        "values": np.zeros((rows, capacity, heads, size), np.int64),
        "key_scale": np.zeros((rows, capacity, heads)),
        "value_scale": np.zeros((rows, capacity, heads)),
        "high": np.zeros((rows, pages, heads, size)),
        "low": np.zeros((rows, pages, heads, size)),
        "window": np.zeros((rows, 2, window, heads, size), np.int64),
        "window_scale": np.zeros((rows, 2, window, heads)),
    }
    for row, memory in enumerate(case.sequences):
        for name in ("keys", "values", "key_scale", "value_scale"):
            arrays[name][row, : len(memory)] = getattr(memory.retrieval, name)
        for name in ("high", "low"):
            arrays[name][row, : len(getattr(memory, name))] = getattr(memory, name)
        for place in range(len(memory)):
            at = slot(layer, place)
            for part, (codes, scale) in enumerate(parts(memory.streaming)):
                arrays["window"][row, part, at], arrays["window_scale"][row, part, at] = codes[place], scale[place]
    for name, array in arrays.items():
        session.load(name, array)


def parts(cache: reference.Cache) -> list[tuple[np.ndarray, np.ndarray]]:
    """Codes and scales, of keys and of values."""
    return [(cache.keys, cache.key_scale), (cache.values, cache.value_scale)]


def draw_inputs(rng: np.random.Generator, case: Case) -> dict[str, np.ndarray]:
    one = (len(case.sequences), case.dims["H"], case.dims["D"])
    many = (len(case.sequences), case.dims["H"], case.dims["G"], case.dims["D"])
    shapes = {"q": many, "k": one, "v": one, "qs": many, "ks": one, "vs": one}
    return {name: rounded(rng.normal(size=shape), "bf16") for name, shape in shapes.items()}


def drive(session: Session, case: Case, rng: np.random.Generator, steps: int) -> Tally:
    """Run and compare steps on drawn inputs."""
    tally = Tally()
    before = [len(memory) for memory in case.sequences]
    for _ in range(steps):
        step(session, case, draw_inputs(rng, case), tally)
    assert session.lengths["T"].tolist()[: len(before)] == [length + steps for length in before]
    return tally


MEMORIES = ("keys", "values", "key_scale", "value_scale", "high", "low", "window", "window_scale", "chosen", "since")


def step(session: Session, case: Case, inputs: dict[str, np.ndarray], tally: Tally) -> dict[str, np.ndarray]:
    """One step. Each stage is judged on what it received: what the program stored is taken over."""
    outputs = session.call(**inputs)
    memories = {name: session.memory(name) for name in MEMORIES}
    layer = case.layer
    for row, old in enumerate(case.sequences):
        token = reference.Token(**{name: value[row] for name, value in inputs.items()})
        new = reference.append(layer, old, token)
        held = {name: array[row] for name, array in memories.items()}
        tally.stored += take_over(layer, old, new, token, held)
        case.sequences[row] = new
        seen = session.value("s")[row] if isinstance(session, OracleSession) else None
        tally.near_ties += check_choice(case, new, token.q, held, seen)
        check_attention(layer, new, token, {name: value[row] for name, value in outputs.items()})
    case.calls += 1
    return outputs


def take_over(
    layer: reference.Layer,
    old: reference.Sequence,
    new: reference.Sequence,
    token: reference.Token,
    held: dict[str, np.ndarray],
) -> int:
    """Old rows stay as they are; new ones are the reference's, or round to the neighbour. Counts those channels."""
    place, apart = len(old), 0
    for name in ("keys", "values", "key_scale", "value_scale"):
        np.testing.assert_array_equal(held[name][:place], getattr(old.retrieval, name))
    kept = [(held["keys"], held["key_scale"], place), (held["values"], held["value_scale"], place)]
    for part, (codes, scale) in enumerate(parts(new.streaming)):
        window, scales = held["window"][part], held["window_scale"][part]
        for other in range(max(place - layer.local + 1, 0), place):
            np.testing.assert_array_equal(window[slot(layer, other)], codes[other])
            np.testing.assert_array_equal(scales[slot(layer, other)], scale[other])
        np.testing.assert_array_equal(window[: min(layer.sink, place)], codes[: min(layer.sink, place)])
        kept.append((window, scales, slot(layer, place)))
    exact = (reference.rotate(token.k, place), token.v, reference.rotate(token.ks, place), token.vs)
    caches = (*parts(new.retrieval), *parts(new.streaming))
    for (codes, scale), (stored, stored_scale, at), value in zip(caches, kept, exact, strict=True):
        apart += adopt(codes, scale, place, stored[at], stored_scale[at], value)
    for name in ("high", "low"):
        bound, before = getattr(new, name), len(new.high) - 1
        np.testing.assert_array_equal(held[name][:before], bound[:before])
        apart += rounded_apart(held[name][before], bound[before])
        bound[before] = held[name][before]
    return apart


def adopt(
    codes: np.ndarray,
    scale: np.ndarray,
    place: int,
    stored: np.ndarray,
    stored_scale: np.ndarray,
    exact: np.ndarray,
) -> int:
    """Compare one token's int8 codes and scales with the reference's and with what they stand for, then put them in
    their place."""
    np.testing.assert_allclose(stored_scale, scale[place], rtol=1e-6)
    assert np.all(np.abs(stored * stored_scale[:, None] - exact) <= 0.5001 * scale[place][:, None])
    apart = int(np.count_nonzero(stored != codes[place]))
    codes[place], scale[place] = stored, stored_scale
    return apart


def check_choice(
    case: Case, memory: reference.Sequence, q: np.ndarray, held: dict[str, np.ndarray], seen: np.ndarray | None
) -> int:
    """The remembered choice: made anew in every so many calls, else as it was. Counts near ties."""
    layer, near_ties = case.layer, 0
    scores = reference.page_scores(layer, memory, q)
    largest = np.maximum(np.abs(memory.high), np.abs(memory.low)).max(axis=(0, 1))
    allowed = 2e-5 * float((np.abs(reference.rotate(q, len(memory) - 1)).max(axis=(0, 1)) * largest).sum())
    if seen is not None:
        np.testing.assert_allclose(seen[..., : scores.shape[-1]], scores, rtol=1e-5, atol=allowed)
    if case.calls % layer.interval != 0:
        for head, g in np.ndindex(*q.shape[:2]):
            own = held["chosen"][head, g]
            np.testing.assert_array_equal(own[own >= 0], memory.chosen[head][g])
        assert held["since"] == memory.since
        return 0
    memory.since = (len(memory) - 1) // layer.page
    assert held["since"] == memory.since
    for head, g in np.ndindex(*q.shape[:2]):
        near_ties += differing(held["chosen"][head, g], scores[head, g, : memory.since], layer.count - 1, allowed)
    memory.chosen = [[own[own >= 0] for own in of_head] for of_head in held["chosen"]]
    return near_ties


def check_attention(
    layer: reference.Layer, memory: reference.Sequence, token: reference.Token, outputs: dict[str, np.ndarray]
) -> None:
    """The pages attended to, exactly; the outputs of both kinds of heads within bf16 rounding."""
    heads, group = token.q.shape[:2]
    pages = [[reference.pages_of(layer, memory, head, g) for g in range(group)] for head in range(heads)]
    for head, g in np.ndindex(heads, group):
        kept = outputs["kept"][head, g]
        np.testing.assert_array_equal(kept[kept >= 0], pages[head][g])
        assert len(set(kept[kept >= 0].tolist())) == np.count_nonzero(kept >= 0), f"a page stands twice in {kept}"
    expected = {
        "o": reference.attend(layer, memory, pages, token.q),
        "os": reference.attend_streaming(layer, memory, token.qs),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(outputs[name], value, rtol=2.0**-7, atol=2.0**-8 * np.abs(value).max())


def make_ties(case: Case) -> None:
    """The bounds of every page are one of three: their scores are equal in any arithmetic."""
    ratio = case.layer.page // case.layer.logical
    for memory in case.sequences:
        for bound in (memory.high, memory.low):
            complete = len(bound) - len(bound) % ratio
            pages = bound[:complete].reshape(-1, ratio, *bound.shape[1:])
            pages[:] = pages[np.arange(len(pages)) % 3]


def integer_case(length: int) -> Case:
    """One sequence of `length` tokens whose scores are far enough apart that any arithmetic chooses the same: keys are
    distinct integers below 256 in the channel that turns slowest, values integers that int8 holds, none of them 0."""
    case = draw_case(np.random.default_rng(40), [0])
    tokens = [integer_token(case, place) for place in range(length)]
    rotated = np.array([reference.rotate(token["k"][0], place) for place, token in enumerate(tokens)])
    values = np.array([token["v"][0] for token in tokens])
    case.sequences = [sequence_of(case.layer, rotated, values, rotated, values)]
    return case


def integer_token(case: Case, place: int) -> dict[str, np.ndarray]:
    """The inputs of the token at `place`: the first query of a group prefers large keys, the second small ones."""
    d, (page, inside) = case.dims, divmod(place, 8)
    assert place < 256
    slowest = d["D"] // 2 - 1
    q, k = np.zeros((1, d["H"], d["G"], d["D"])), np.zeros((1, d["H"], d["D"]))
    q[..., 0, slowest], q[..., 1, slowest] = 64, -64
    k[..., slowest] = 8 * (page ^ 3) + (5 * inside + 3) % 8
    v = np.random.default_rng(place).integers(1, 128, k.shape).astype(np.float64)
    v[..., 0] = 127  # the scale is 1
    return {"q": q, "k": k, "v": v, "qs": q, "ks": k, "vs": v}


def drive_integers(session: Session, case: Case, steps: int) -> None:
    """Everything is compared exactly."""
    for _ in range(steps):
        tally, before, calls = Tally(), case.sequences[0], case.calls
        inputs = integer_token(case, len(before))
        outputs = step(session, case, inputs, tally)
        assert tally == Tally()
        token = reference.Token(**{name: value[0] for name, value in inputs.items()})
        _, pages, output, streamed = reference.step(case.layer, before, token, calls)
        for head, g in np.ndindex(*token.q.shape[:2]):
            own = outputs["kept"][0, head, g]
            assert sorted(own[own >= 0].tolist()) == sorted(pages[head][g].tolist())
        np.testing.assert_array_equal(outputs["o"][0], to_bf16(output))
        np.testing.assert_array_equal(outputs["os"][0], to_bf16(streamed))
