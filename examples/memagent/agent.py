"""The agent: reads a text of any length in chunks, with a memory of bounded length that it writes anew after each.

It works on token ids, so with any tokenizer: prompts are made by a function that the caller gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hetc.runtime.program import HostProgram
from hetc.runtime.state import State

Tokens = Sequence[int]
Prompt = Callable[[Tokens, Tokens, Tokens | None], Tokens]
"""The prompt for a problem, a memory and the next chunk of the text; without a chunk all of it has been read, and the
problem is to be answered."""


@dataclass(frozen=True)
class Agent:
    """A compiled memagent program and its weights, which are frozen, and how the agent uses them.

    prompt: makes the prompts. end: the tokens that end what the model writes. chunk: tokens of the text that are read
    at a time. new_tokens: the most that the model writes, as a memory or as the answer. piece: the most that one call
    of `prefill` reads. capacity: of the key-value memory; a prompt and what is written behind it must fit.
    """

    program: HostProgram
    weights: Mapping[str, Any]
    prompt: Prompt
    end: frozenset[int]
    chunk: int = 5000
    new_tokens: int = 1024
    piece: int = 1024
    capacity: int = 8192

    def __post_init__(self) -> None:
        self.program.freeze(**self.weights)

    def answer(self, problems: Sequence[Tokens], texts: Sequence[Tokens]) -> list[list[int]]:
        """The answers to problems, each about a text of its own; all are worked on side by side.

        Raises CapacityError where a prompt and what is written behind it do not fit the key-value memory."""
        state = self.program.new_state(B=len(problems), T=self.capacity)
        memories: list[list[int]] = [[] for _ in problems]
        for start in range(0, max(map(len, texts)), self.chunk):
            chunks = [text[start : start + self.chunk] for text in texts]
            asked = zip(problems, memories, chunks, strict=True)
            written = self._write(state, [self.prompt(*given) if len(given[2]) else [] for given in asked])
            # The memory of a text that was at its end stays.
            memories = [new if len(chunk) else old for new, old, chunk in zip(written, memories, chunks, strict=True)]
        return self._write(state, [self.prompt(*given, None) for given in zip(problems, memories, strict=True)])

    def _write(self, state: State, prompts: Sequence[Tokens]) -> list[list[int]]:
        """What the model writes behind each prompt, nothing behind one without tokens."""
        state.clear("T")
        following = self._read(state, prompts)
        written: list[list[int]] = [[] for _ in prompts]
        active = np.array([len(prompt) > 0 for prompt in prompts])
        while True:
            active &= [int(token) not in self.end for token in following]
            for row in np.flatnonzero(active):
                written[row].append(int(following[row]))
            active &= [len(made) < self.new_tokens for made in written]
            if not active.any():
                return written
            token = following.astype(np.int32)[:, None]
            following = self._call("decode", state, {"A": active.astype(np.int32)}, token=token)

    def _read(self, state: State, prompts: Sequence[Tokens]) -> np.ndarray:
        """Read the prompts, whatever their lengths; int64[prompts], the token that follows each."""
        following = np.zeros(len(prompts), np.int64)
        longest = max(map(len, prompts))
        for start in range(0, longest, self.piece):
            pieces = [prompt[start : start + self.piece] for prompt in prompts]
            lengths = np.array([len(piece) for piece in pieces], np.int32)
            tokens = np.zeros((len(prompts), lengths.max()), np.int32)
            for row, piece in zip(tokens, pieces, strict=True):
                row[: len(piece)] = piece
            after = self._call("prefill", state, {"C": lengths}, prompt=tokens)
            following = np.where(lengths > 0, after, following)
        return following

    def _call(self, step: str, state: State, lengths: Mapping[str, np.ndarray], **tensors: np.ndarray) -> np.ndarray:
        outputs = self.program.step(step)(state, lengths, **tensors)
        return np.asarray(outputs["next"], np.int64)
