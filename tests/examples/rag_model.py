"""A small language model with random weights that hands over what retrieval while writing asks of a generator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from tests.examples import rag_reference as reference
from tests.examples.threads import one_thread


class Model:
    """A layer of causal attention in float64; `end` ends a text. Behind some words the model is sure of what comes
    next, behind others it is not. Words are drawn with noise that depends on their place alone: a text is drawn again
    as it was."""

    def __init__(self, seed: int, vocabulary: int, end: int, longest_draft: int) -> None:
        random = torch.Generator().manual_seed(seed)

        def normal(*shape: int) -> torch.Tensor:
            return torch.randn(*shape, generator=random, dtype=torch.float64)

        self.width, self.heads, self.end, self.longest = 16, 2, end, longest_draft
        self.words, self.places = normal(vocabulary, self.width), normal(512, self.width)
        self.noise = -torch.rand(64, vocabulary, generator=random, dtype=torch.float64).log().neg().log()
        self.sharpness = torch.where(torch.rand(vocabulary, generator=random) < 0.7, 2.0, 0.3)
        self.layer = normal(4, self.width, self.width) / self.width**0.5

    def forward(self, text: reference.Words) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits [T, V] and the attention [heads, T, T]. Of no words: as if word 0 stood there."""
        ids = torch.tensor(text or [0])
        x = self.words[ids] + self.places[: len(ids)]
        later = torch.ones(len(ids), len(ids), dtype=torch.bool).triu(1)
        q, k, v = ((x @ w).unflatten(1, (self.heads, -1)).transpose(0, 1) for w in self.layer[:3])
        scores = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5
        paid = scores.masked_fill(later, -torch.inf).softmax(-1)
        x = functional.layer_norm(x + (paid @ v).transpose(0, 1).flatten(1) @ self.layer[3], [self.width])
        return self.sharpness[ids, None] * (x @ self.words.T), paid

    @one_thread()
    def draft(self, prompt: reference.Words) -> reference.Draft:
        """At most `longest_draft` words behind the prompt, the last one `end` if it comes."""
        text = list(prompt)
        distributions, drawn = [], []
        while len(text) - len(prompt) < self.longest and (len(text) == len(prompt) or text[-1] != self.end):
            logits, _ = self.forward(text)
            distribution = logits[-1].softmax(-1)
            text.append(int((logits[-1] + self.noise[len(text) % 64]).argmax()))
            distributions.append(distribution)
            drawn.append(distribution[text[-1]])
        written = text[len(prompt) :]
        probabilities = torch.stack(distributions)
        entropy = -(probabilities * probabilities.clamp_min(1e-300).log()).sum(-1)
        return reference.Draft(
            written,
            torch.stack(drawn).float().tolist(),
            entropy.float().tolist(),
            self.influence(text, len(prompt)),
            self.attention(text, len(prompt)),
        )

    def influence(self, text: reference.Words, start: int) -> list[float]:
        """The most attention that a word of the draft or one behind it pays to it, the mean over heads."""
        _, paid = self.forward(text)
        return paid[:, start:, start:].max(1).values.mean(0).float().tolist()

    def attention(self, text: reference.Words, start: int) -> list[list[float]]:
        """Of each word of the draft to all words: that of the place before it, from which it was written."""
        _, paid = self.forward(text)
        mean = torch.nn.functional.pad(paid.mean(0), (0, 0, 1, 0))[:-1]
        return mean[start:].float().tolist()


class Writer:
    """The model as the loop's generator: each prompt on its own. draft: the loop's class of what is handed over."""

    def __init__(self, model: Model, draft: Callable[..., Any]) -> None:
        self.model, self.draft = model, draft

    def __call__(self, prompts: np.ndarray) -> Any:
        rows, longest = len(prompts), self.model.longest
        given = {"words": np.full((rows, longest), -1, np.int32)}
        given |= {name: np.zeros((rows, longest), np.float32) for name in ("probability", "entropy", "influence")}
        given["attention"] = np.zeros((rows, longest, prompts.shape[1] + longest), np.float32)
        for b, row in enumerate(prompts.tolist()):
            prompt = [word for word in row if word >= 0]
            draft = self.model.draft(prompt)
            count = len(draft.words)
            for name in ("words", "probability", "entropy", "influence"):
                given[name][b, :count] = getattr(draft, name)
            paid = np.array(draft.attention)
            given["attention"][b, :count, : len(prompt)] = paid[:, : len(prompt)]
            given["attention"][b, :count, prompts.shape[1] : prompts.shape[1] + count] = paid[:, len(prompt) :]
        return self.draft(**given)
