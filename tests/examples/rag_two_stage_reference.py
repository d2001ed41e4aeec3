"""Retrieval in two stages by the transformers library, each text read alone, without padding, in float64."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import torch

from hetc.runtime.triton_interpreter import install
from tests.examples.dsa_reference import Array, to_bf16
from tests.examples.threads import one_thread

if TYPE_CHECKING:
    from transformers import BertConfig, BertForSequenceClassification, BertModel

BEGIN, END = 101, 102
Tokens = list[int]


def transformers() -> ModuleType:
    """The library. It imports Triton, which has to know by then whether kernels are interpreted."""
    install()
    return import_module("transformers")


def random_models(seed: int, config: BertConfig) -> tuple[BertModel, BertForSequenceClassification]:
    """A bi-encoder and a cross-encoder whose weights, gains and biases are drawn large enough to matter; f32 values."""
    random = torch.Generator().manual_seed(seed)
    library = transformers()
    models = library.BertModel(config), library.BertForSequenceClassification(config)
    for model in models:
        model.double().eval()
        for name, parameter in model.named_parameters():
            drawn = torch.randn(parameter.shape, generator=random)
            scale = 1.5 / parameter.shape[-1] ** 0.5 if parameter.ndim > 1 else 0.3
            gain = name.endswith("LayerNorm.weight")
            parameter.data = (drawn * scale + (1.0 if gain else 0.0)).double()
    return models


@one_thread()
def embed(model: BertModel, text: Tokens) -> Array:
    """[H]: the mean of the last hidden states of [CLS] text [SEP], of length 1."""
    hidden = model(torch.tensor([[BEGIN, *text, END]])).last_hidden_state[0].mean(0)
    return torch.nn.functional.normalize(hidden, dim=0).double().numpy()


@one_thread()
def score(model: BertForSequenceClassification, query: Tokens, passage: Tokens) -> float:
    """The cross-encoder's logit of [CLS] query [SEP] passage [SEP]."""
    first, second = [BEGIN, *query, END], [*passage, END]
    kinds = [0] * len(first) + [1] * len(second)
    return float(model(torch.tensor([first + second]), token_type_ids=torch.tensor([kinds])).logits)


@dataclass
class Store:
    """Passages and their embeddings, as stored in bf16."""

    passages: list[Tokens] = field(default_factory=list)
    embeddings: list[Array] = field(default_factory=list)

    def add(self, passages: list[Tokens], vectors: Array) -> None:
        self.passages += passages
        self.embeddings += list(to_bf16(vectors))

    def near(self, vector: Array) -> Array:
        """The inner product of each embedding with a query's."""
        return np.array([float(vector @ embedding) for embedding in self.embeddings])
