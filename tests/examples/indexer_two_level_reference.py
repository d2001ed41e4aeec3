"""The attention of examples/indexer_two_level over whole sequences: all scores of all layers, and masks over them.

Written from the formulas of DeepSeek-V4.1-Flash's released attention as NeMo AutoModel has them (Apache-2.0;
nemo_automodel/components/models/deepseek_v41/attention.py), without their fp8 and fp4 roundings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from tests.examples.dsa_reference import Array

Tensors = dict[str, torch.Tensor]
EPSILON = 1e-20


def layers_of(dims: Mapping[str, int], seed: int) -> list[Tensors]:
    """Random weights: of the layer that finds the candidates, and of those that look in them."""
    width, rank, heads, size = dims["E"], dims["R"], dims["H"], dims["D"]
    shapes = {
        "attn_norm.weight": (width,), "wq_a.weight": (rank, width), "q_norm.weight": (rank,),
        "wq_b.weight": (heads * size, rank), "wkv.weight": (size, width), "kv_norm.weight": (size,),
        "attn_sink": (heads,), "wo_a.weight": (dims["G"] * dims["Q"], heads // dims["G"] * size),
        "wo_b.weight": (width, dims["G"] * dims["Q"]), "indexer.wq_b.weight": (dims["I"] * dims["F"], rank),
        "indexer.weights_proj.weight": (dims["I"], width),
    }  # fmt: skip
    first = {
        "compressor.wkv.weight": (size, width), "compressor.norm.weight": (size,),
        "indexer.wk.weight": (dims["F"], size), "indexer.k_norm.weight": (dims["F"],),
    }  # fmt: skip
    generator = torch.Generator().manual_seed(seed)

    def drawn(name: str, shape: tuple[int, ...]) -> torch.Tensor:
        scale = 0.3 if len(shape) == 1 else 1.5 * shape[-1] ** -0.5
        near = 1.0 if name.endswith("norm.weight") else 0.0
        return near + scale * torch.randn(shape, generator=generator)

    return [
        {name: drawn(name, shape) for name, shape in (shapes | (first if number == 0 else {})).items()}
        for number in range(dims["N"] + 1)
    ]


def outputs(layers: Sequence[Tensors], rows: Array, dims: Mapping[str, int]) -> tuple[Array, list[Array]]:
    """rows: [T, E], of one sequence. The hidden state behind the last layer, [T, E], and for each layer the tokens that
    each token picked, [T, T]."""
    h = torch.from_numpy(rows).double()
    length = len(h)
    position = torch.arange(length)
    entry, keys, candidates = torch.empty(0), torch.empty(0), torch.empty(0)
    picks = []
    seen = position[None, :] <= position[:, None]
    recent = seen & (position[None, :] > position[:, None] - dims["W"])
    for number, layer in enumerate(layers):
        weight = {name: tensor.double() for name, tensor in layer.items()}
        y = _normed(h, weight["attn_norm.weight"])
        latent = _normed(y @ weight["wq_a.weight"].T, weight["q_norm.weight"])
        query = _turned((latent @ weight["wq_b.weight"].T).unflatten(-1, (dims["H"], dims["D"])), position, dims["P"])
        window = _turned(_normed(y @ weight["wkv.weight"].T, weight["kv_norm.weight"]), position, dims["P"])
        if number == 0:
            made = _normed(y @ weight["compressor.wkv.weight"].T, weight["compressor.norm.weight"])
            key = _normed(made @ weight["indexer.wk.weight"].T, weight["indexer.k_norm.weight"])
            entry, keys = _turned(made, position, dims["P"]), _turned(key, position, dims["P"])
        indexing = (latent @ weight["indexer.wq_b.weight"].T).unflatten(-1, (dims["I"], dims["F"]))
        of_heads = torch.relu(torch.einsum("shf,tf->sht", _turned(indexing, position, dims["P"]), keys))
        share = y @ weight["indexer.weights_proj.weight"].T * (dims["I"] * dims["F"]) ** -0.5
        scores = torch.einsum("sht,sh->st", of_heads, share).masked_fill(~seen, -torch.inf)
        if number == 0:
            candidates = _candidates(scores, dims["C"], dims["Z"])
        else:
            scores = scores.masked_fill(~candidates, -torch.inf)
        best = scores.topk(min(dims["K"], length), dim=-1)
        picked = torch.zeros(length, length, dtype=torch.bool).scatter(-1, best.indices, best.values > -torch.inf)
        picks.append(picked.numpy())
        near = torch.einsum("shd,td->sht", query, window).masked_fill(~recent[:, None], -torch.inf)
        far = torch.einsum("shd,td->sht", query, entry).masked_fill(~picked[:, None], -torch.inf)
        sink = weight["attn_sink"].expand(length, -1)[..., None]
        share = torch.softmax(torch.cat([near * dims["D"] ** -0.5, far * dims["D"] ** -0.5, sink], -1), -1)
        attended = share[..., :length] @ window + share[..., length : 2 * length] @ entry
        grouped = _turned(attended, -position, dims["P"]).reshape(length, dims["G"], -1)
        projection = weight["wo_a.weight"].unflatten(0, (dims["G"], dims["Q"]))
        h = h + torch.einsum("sgi,gqi->sgq", grouped, projection).flatten(1) @ weight["wo_b.weight"].T
    return h.numpy().astype(np.float32), picks


def _candidates(scores: torch.Tensor, blocks: int, size: int) -> torch.Tensor:
    """Which tokens lie in the blocks of the highest scores; that of the newest token is one of them. [T, T]"""
    length = len(scores)
    best = torch.nn.functional.pad(scores, (0, -length % size), value=-torch.inf).unflatten(-1, (-1, size)).amax(-1)
    best[torch.arange(length), torch.arange(length) // size] = torch.inf
    found = best.topk(min(blocks, best.shape[-1]), dim=-1)
    kept = torch.zeros_like(best, dtype=torch.bool).scatter(-1, found.indices, found.values > -torch.inf)
    return kept.repeat_interleave(size, -1)[:, :length]


def _normed(values: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
    return values * torch.rsqrt((values**2).mean(-1, keepdim=True) + EPSILON) * gain


def _turned(values: torch.Tensor, position: torch.Tensor, dims: int) -> torch.Tensor:
    """The last channels by the position: [T, ..., channels], neighbours are pairs. YaRN, factor 16 of 65,536 tokens."""
    base, original = 160000.0, 65536
    frequency = base ** -(torch.arange(0, dims, 2).double() / dims)
    low, high = (dims * np.log(original / (turns * 2 * np.pi)) / (2 * np.log(base)) for turns in (32, 1))
    low, high = max(np.floor(low), 0), min(np.ceil(high), dims - 1)
    ramp = ((torch.arange(dims // 2).double() - low) / max(high - low, 1e-3)).clamp(0, 1)
    frequency = frequency / 16 * ramp + frequency * (1 - ramp)
    angle = (position.double()[:, None] * frequency).reshape(len(position), *[1] * (values.ndim - 2), -1)
    even, odd = values[..., -dims::2], values[..., values.shape[-1] - dims + 1 :: 2]
    made = values.clone()
    made[..., -dims::2] = even * angle.cos() - odd * angle.sin()
    made[..., values.shape[-1] - dims + 1 :: 2] = even * angle.sin() + odd * angle.cos()
    return made
