"""Titans, memory as context, one layer of one sequence, in torch float64 with autograd's gradients.

Written from the paper (arXiv 2501.00663, equations 11 to 15, 18 and 21 to 25): the memory's recurrence runs token by
token, as it stands there; each token's gradient is taken at the weights that the segment began with (section 3.2).
Shares nothing with the compiler, and does not sum the recurrence up as the program does.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention, silu

LEAST_SQUARE = 1e-6
"""Below the sum of squares that a query or key is divided by the root of."""


@dataclass
class Layer:
    """Learned in training: persistent [P, E]; of the memory wq, wk, wv [E, E]; of attention aq, ak, av [E, H, D] and
    ao [H, D, E]; gate [3, E] and bias [3] of forgetting, momentum and learning rate."""

    persistent: Tensor
    wq: Tensor
    wk: Tensor
    wv: Tensor
    aq: Tensor
    ak: Tensor
    av: Tensor
    ao: Tensor
    gate: Tensor
    bias: Tensor


@dataclass
class Memory:
    """The memory's two layers, first [F, E] and second [E, F], and the past surprise of each."""

    first: Tensor
    second: Tensor
    surprise_first: Tensor
    surprise_second: Tensor


def begun(first: Tensor, second: Tensor) -> Memory:
    """A sequence's memory before its first segment."""
    return Memory(first, second, torch.zeros_like(first), torch.zeros_like(second))


def unit(x: Tensor) -> Tensor:
    """The last axis divided by its length."""
    return x / torch.sqrt((x**2).sum(-1, keepdim=True) + LEAST_SQUARE)


def forward(first: Tensor, second: Tensor, query: Tensor) -> Tensor:
    """M*(q): an MLP with one hidden layer. query [.., E]."""
    return silu(query @ first.T) @ second.T


def attend(layer: Layer, segment: Tensor, history: Tensor) -> Tensor:
    """[L, E] of the segment's tokens: each sees the persistent tokens, all that was read from the memory, and the
    segment up to itself. segment, history [L, E]."""
    length, before = len(segment), len(layer.persistent) + len(history)
    context = torch.cat([layer.persistent, history, segment])
    query = unit(silu(torch.einsum("le,ehd->hld", segment, layer.aq)))
    key = unit(silu(torch.einsum("ce,ehd->hcd", context, layer.ak)))
    value = silu(torch.einsum("ce,ehd->hcd", context, layer.av))
    seen = torch.ones(length, before, dtype=torch.bool)
    own = torch.ones(length, length, dtype=torch.bool).tril()
    heads = scaled_dot_product_attention(query, key, value, attn_mask=torch.cat([seen, own], 1))
    return torch.einsum("hld,hde->le", heads, layer.ao)


def gradients(layer: Layer, memory: Memory, y: Tensor) -> list[tuple[Tensor, Tensor]]:
    """For each token of y [L, E] how |M(k) - v|^2 changes with each layer of the memory as it is."""
    keys, values = unit(silu(y @ layer.wk)), silu(y @ layer.wv)
    found = []
    for key, value in zip(keys, values, strict=True):
        first, second = memory.first.clone().requires_grad_(), memory.second.clone().requires_grad_()
        loss = ((forward(first, second, key) - value) ** 2).sum()
        found.append(torch.autograd.grad(loss, [first, second]))
    return found


def learn(layer: Layer, memory: Memory, y: Tensor) -> Memory:
    """The memory after S_t = eta_t S_{t-1} - theta_t grad_t and M_t = (1 - alpha_t) M_{t-1} + S_t for each token."""
    rates = torch.sigmoid(y @ layer.gate.T + layer.bias)
    new = Memory(memory.first, memory.second, memory.surprise_first, memory.surprise_second)
    for (alpha, eta, theta), (first, second) in zip(rates, gradients(layer, memory, y), strict=True):
        new.surprise_first = eta * new.surprise_first - theta * first
        new.surprise_second = eta * new.surprise_second - theta * second
        new.first = (1 - alpha) * new.first + new.surprise_first
        new.second = (1 - alpha) * new.second + new.surprise_second
    return new


def step(layer: Layer, memory: Memory, segment: Tensor) -> tuple[Memory, Tensor]:
    """One segment [L, E]: the memory after it, and what the layer gives [L, E], y gated by what the memory makes of
    it."""
    history = forward(memory.first, memory.second, unit(silu(segment @ layer.wq)))
    y = attend(layer, segment, history)
    memory = learn(layer, memory, y)
    read = forward(memory.first, memory.second, unit(silu(y @ layer.wq)))
    return memory, y * torch.sigmoid(read)
