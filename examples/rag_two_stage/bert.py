"""A BERT of the transformers library as the weights of rag_two_stage.mp."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from transformers import BertForSequenceClassification, BertModel

Weights = dict[str, NDArray[np.float32]]


def dims_of(config: Mapping[str, Any]) -> dict[str, int]:
    """The sizes that rag_two_stage.mp calls L, H, A, F and V, of what a model's config.json holds. Raises ValueError
    for a model that computes something else."""
    wanted = {"model_type": "bert", "hidden_act": "gelu", "layer_norm_eps": 1e-12, "type_vocab_size": 2}
    for name, value in wanted.items():
        if config[name] != value:
            raise ValueError(f"{name} is {config[name]!r}; the pipeline computes {value!r}")
    return {
        "L": config["num_hidden_layers"],
        "H": config["hidden_size"],
        "A": config["num_attention_heads"],
        "F": config["intermediate_size"],
        "V": config["vocab_size"],
    }


def encoder_weights(model: BertModel, length: int) -> Weights:
    """What `embed` takes; `length` tokens are read at once, at most as many as the model has places for.

    A torch layer keeps [out, in]; the pipeline's weights are [in, out], with heads and their channels apart."""
    heads = model.config.num_attention_heads
    layers = list(model.encoder.layer)
    embeddings = model.embeddings

    def stacked(*tensors: torch.Tensor) -> NDArray[np.float32]:
        return torch.stack(tensors).detach().float().numpy()

    def inward(linear: torch.nn.Linear) -> torch.Tensor:
        return linear.weight.T.unflatten(1, (heads, -1))

    def attention_of(layer: torch.nn.Module) -> tuple[torch.nn.Linear, torch.nn.Linear, torch.nn.Linear]:
        inner = layer.attention.self
        return inner.query, inner.key, inner.value

    def gains(norm: torch.nn.LayerNorm) -> torch.Tensor:
        return torch.stack([norm.weight, norm.bias])

    if length > embeddings.position_embeddings.num_embeddings:
        raise ValueError(
            f"{length} tokens at once: the model has {embeddings.position_embeddings.num_embeddings} places"
        )
    return {
        "words": stacked(*embeddings.word_embeddings.weight),
        "places": stacked(*embeddings.position_embeddings.weight[:length]),
        "parts": stacked(*embeddings.token_type_embeddings.weight),
        "norm0": stacked(gains(embeddings.LayerNorm))[None],
        "norms": stacked(
            *(torch.stack([gains(each.attention.output.LayerNorm), gains(each.output.LayerNorm)]) for each in layers)
        ),
        "Wi": stacked(*(torch.stack([inward(linear) for linear in attention_of(each)]) for each in layers)),
        "bi": stacked(
            *(torch.stack([linear.bias.unflatten(0, (heads, -1)) for linear in attention_of(each)]) for each in layers)
        ),
        "Wo": stacked(*(each.attention.output.dense.weight.T.unflatten(0, (heads, -1)) for each in layers)),
        "bo": stacked(*(each.attention.output.dense.bias for each in layers)),
        "Wf": stacked(*(each.intermediate.dense.weight.T for each in layers)),
        "bf": stacked(*(each.intermediate.dense.bias for each in layers)),
        "Wg": stacked(*(each.output.dense.weight.T for each in layers)),
        "bg": stacked(*(each.output.dense.bias for each in layers)),
    }


def weights_of(model: BertForSequenceClassification, length: int) -> Weights:
    """What `search` takes: a cross-encoder's, with one score a pair."""
    assert model.bert.pooler is not None
    pooler, classifier = model.bert.pooler.dense, model.classifier
    head = {"Wp": pooler.weight.T, "bp": pooler.bias, "Wc": classifier.weight[0], "bc": classifier.bias[0]}
    plain = {name: tensor.detach().float().contiguous().numpy() for name, tensor in head.items()}
    return encoder_weights(model.bert, length) | plain
