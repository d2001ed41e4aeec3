"""Calls of examples/memagent on a session, each compared with the reference: one run of the model over all tokens."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import torch

from tests.examples import memagent_reference as reference
from tests.executors import ROOT, OracleSession, ProgramSession, Session

DIMS = {"L": 2, "H": 2, "G": 2, "D": 8, "E": 32, "F": 24, "V": 40}
"""Of the model; head sizes and all."""
ROUNDED = 2.0**-6
"""How far a logit may be off, of the largest: a sum may fall to the other side of a tie of bf16."""


def example(name: str) -> ModuleType:
    """A module of the example's folder."""
    path = ROOT / "examples" / "memagent" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"memagent_{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@dataclass
class Case:
    """A model, its weights as the program takes them, and the tokens that each sequence has read."""

    model: reference.Qwen2ForCausalLM
    weights: dict[str, np.ndarray]
    texts: list[list[int]]
    dims: dict[str, int] = field(default_factory=lambda: dict(DIMS))

    def expected(self, row: int) -> np.ndarray:
        """[V]: scores of what follows a sequence."""
        return reference.logits(self.model, self.texts[row])[-1]


def checkpoint(rng: np.random.Generator, dims: dict[str, int], whole: bool = False) -> dict[str, torch.Tensor]:
    """Weights of a Qwen2 model that int8 codes with a scale a row hold exactly.

    whole: they are whole numbers. The first layer's queries, keys and values are then sums of these, elsewhere a
    product has two terms at most, and a score has one: in f32 no sum loses a bit that it shows."""
    heads, width = dims["H"] * dims["D"], dims["E"]

    def matrix(rows: int, columns: int, terms: int = 0) -> torch.Tensor:
        if whole:
            codes = rng.integers(-3, 4, (rows, columns))
            if terms:
                codes *= rng.permuted(np.arange(columns) < np.full((rows, 1), terms - 1), axis=1)
            codes[np.arange(rows), rng.integers(0, columns, rows)] = 127
            return torch.from_numpy(codes.astype(float))
        codes = np.clip(np.rint(rng.normal(size=(rows, columns)) * 40), -127, 127)
        codes[np.arange(rows), rng.integers(0, columns, rows)] = 127
        return torch.from_numpy(codes * 2.0 ** rng.integers(-8, -6, (rows, 1)))

    def vector(size: int, around: float = 0.0) -> torch.Tensor:
        if whole:
            return torch.full((size,), around).double()
        return torch.from_numpy((around + rng.normal(size=size) / 4).astype(np.float32)).double()

    state = {"model.embed_tokens.weight": matrix(dims["V"], width), "model.norm.weight": vector(width, 1.0),
             "lm_head.weight": matrix(dims["V"], width, 1)}  # fmt: skip
    if whole:
        state["model.embed_tokens.weight"] = torch.from_numpy(127.0 * rng.choice([-1, 1], (dims["V"], width)))
    for number in range(dims["L"]):
        layer = f"model.layers.{number}"
        for name, rows in (("q", heads * dims["G"]), ("k", heads), ("v", heads)):
            state[f"{layer}.self_attn.{name}_proj.weight"] = matrix(rows, width)
            state[f"{layer}.self_attn.{name}_proj.bias"] = vector(rows)
        state[f"{layer}.self_attn.o_proj.weight"] = matrix(width, heads * dims["G"], 2)
        state[f"{layer}.mlp.gate_proj.weight"] = matrix(dims["F"], width, 2)
        state[f"{layer}.mlp.up_proj.weight"] = matrix(dims["F"], width, 2)
        state[f"{layer}.mlp.down_proj.weight"] = matrix(width, dims["F"], 2)
        state[f"{layer}.input_layernorm.weight"] = vector(width, 1.0)
        state[f"{layer}.post_attention_layernorm.weight"] = vector(width, 1.0)
    return state


def draw_case(
    rng: np.random.Generator, rows: int, rounds: bool = True, dims: dict[str, int] | None = None, whole: bool = False
) -> Case:
    dims = dict(dims or DIMS)
    state = checkpoint(rng, dims, whole)
    model = reference.in_double(reference.model_of(dims, state, rounds), rounds)
    weights = example("weights").from_checkpoint(state, dims["D"])
    return Case(model, weights, [[] for _ in range(rows)], dims)


def prefill(session: Session, case: Case, prompts: Sequence[Sequence[int]], tolerance: float = ROUNDED) -> np.ndarray:
    """Every sequence reads a prompt (which may have no tokens); int64[rows], what follows."""
    lengths = np.array([len(prompt) for prompt in prompts])
    tokens = np.zeros((len(prompts), max(lengths.max(), 1)), np.int64)
    for row, prompt in enumerate(prompts):
        tokens[row, : len(prompt)] = prompt
        case.texts[row] += list(prompt)
    session.step, session.extents = "prefill", {"C": lengths, "A": lengths * 0}
    return compared(session, case, session.call(prompt=tokens, **case.weights), lengths > 0, tolerance)


def decode(
    session: Session, case: Case, tokens: np.ndarray, active: np.ndarray | None = None, tolerance: float = ROUNDED
) -> np.ndarray:
    """The active sequences read a token each; int64[rows], what follows."""
    active = np.ones(len(tokens), bool) if active is None else active
    for row in np.flatnonzero(active):
        case.texts[row].append(int(tokens[row]))
    session.step, session.extents = "decode", {"A": active.astype(np.int64), "C": active * 0}
    return compared(session, case, session.call(token=tokens[:, None], **case.weights), active, tolerance)


def many_steps(session: Session, case: Case, rng: np.random.Generator, steps: int, tolerance: float) -> None:
    """So many decoded tokens behind a short prompt, every step's scores compared with those of one run over all."""
    following = prefill(session, case, [[3, 1, 4, 1, 5][: 2 + row] for row in range(len(case.texts))], tolerance)
    session.step, session.extents = "decode", {"A": np.ones(len(following), int), "C": np.zeros(len(following), int)}
    seen = []
    for _ in range(steps):
        # Greedy, disturbed: a small model left to itself soon repeats a few tokens for good.
        tokens = (following + rng.integers(0, 3, len(following))) % case.dims["V"]
        outputs = session.call(token=tokens[:, None], **case.weights)
        seen.append(outputs["logits"])
        following = np.asarray(outputs["next"], np.int64)
        for text, token in zip(case.texts, tokens, strict=True):
            text.append(int(token))
    for row, text in enumerate(case.texts):
        expected = reference.logits(case.model, text)[-steps:]
        scale = np.abs(expected).max(1, keepdims=True)
        np.testing.assert_array_less(np.abs(np.array(seen)[:, row] - expected) / scale, tolerance)
    assert session.lengths["T"].tolist() == [len(text) for text in case.texts]


def compared(
    session: Session, case: Case, outputs: dict[str, np.ndarray], active: np.ndarray, tolerance: float
) -> np.ndarray:
    for row in np.flatnonzero(active):
        expected = case.expected(row)
        seen = outputs["logits"][row]
        np.testing.assert_allclose(seen, expected, rtol=0, atol=tolerance * np.abs(expected).max())
        assert int(outputs["next"][row]) == int(np.argmax(seen))
    assert session.lengths["T"].tolist() == [len(text) for text in case.texts]
    return np.asarray(outputs["next"], np.int64)


def forget(session: Session, case: Case) -> None:
    """The memory is emptied, between chunks."""
    if isinstance(session, ProgramSession):
        session.state.clear("T")
    else:
        session.lengths["T"] = np.zeros_like(session.lengths["T"])
    case.texts = [[] for _ in case.texts]


def drive(session: Session, case: Case, rng: np.random.Generator, steps: int, tolerance: float = ROUNDED) -> None:
    """Two chunks of prompts of any lengths, in two pieces, each followed by greedy steps in which sequences end."""
    rows, vocabulary = len(case.texts), case.dims["V"]

    def prompts(least: int) -> list[list[int]]:
        return [rng.integers(0, vocabulary, int(rng.integers(least, 8))).tolist() for _ in range(rows)]

    for _ in range(2):
        forget(session, case)
        following = prefill(session, case, prompts(1), tolerance)
        after = prefill(session, case, more := prompts(0), tolerance)
        following = np.where([len(prompt) > 0 for prompt in more], after, following)
        active = np.ones(rows, bool)
        for _ in range(steps):
            following = np.where(active, decode(session, case, following, active, tolerance), following)
            active &= rng.random(rows) < 0.8


class OracleProgram:
    """What the agent asks of a program, by the oracle."""

    def __init__(self, session: OracleSession):
        self.session = session

    def new_state(self, **capacities: int) -> OracleProgram:
        assert capacities == self.session.capacities
        return self

    def freeze(self, **weights: np.ndarray) -> None:
        self.weights = weights

    def clear(self, dim: str) -> None:
        self.session.lengths[dim] = np.zeros_like(self.session.lengths[dim])

    def step(self, name: str) -> Callable[..., dict[str, np.ndarray]]:
        def call(_: object, lengths: dict[str, np.ndarray], **tensors: np.ndarray) -> dict[str, np.ndarray]:
            none = np.zeros_like(self.session.lengths["T"])
            self.session.step, self.session.extents = name, {"A": none, "C": none, **lengths}
            return self.session.call(**self.weights, **tensors)

        return call


def agent_and_reference(program: Any, case: Case, rng: np.random.Generator) -> None:
    """Three texts read by the agent and by the plain loop: equal answers, of which one ends of itself. No token hangs
    on a rounding: each that the plain loop chose scored clearly more than the next one."""
    vocabulary, end, chunk, limit = case.dims["V"], 7, 6, 4

    def prompt(problem: Sequence[int], memory: Sequence[int], part: Sequence[int] | None) -> list[int]:
        return [1, *problem, 2, *memory, *([4] if part is None else [3, *part, 5])]

    lengths = [[2 * chunk + 1, 3], [chunk, 2], [1, 4]]
    texts, problems = ([rng.integers(8, vocabulary, sizes[n]).tolist() for sizes in lengths] for n in (0, 1))
    agent = example("agent").Agent(
        program, case.weights, prompt, frozenset({end}), chunk=chunk, new_tokens=limit, piece=8, capacity=26
    )
    gaps: list[float] = []
    expected = [
        reference.answer(case.model, prompt, problem, text, chunk=chunk, limit=limit, end=end, gaps=gaps)
        for problem, text in zip(problems, texts, strict=True)
    ]
    assert min(gaps) > 0.04  # a value on the other side of a tie of bf16 changes a score by 0.02
    assert {len(made) < limit for made in expected} == {True, False}
    assert agent.answer(problems, texts) == expected
