"""Large-chunk test-time training, one chunk of one head, in torch float64 with autograd's gradients.

Written from the paper (arXiv 2505.23884) and, for what it leaves open (the constants of the norms and of Muon's
iteration, momentum's mean over a chunk), the code published with it. Shares nothing with the compiler.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import silu

Weights = tuple[Tensor, Tensor, Tensor]
"""w0 [F, D], w1 [D, F], w2 [F, D]: f(x) = w1 (silu(w0 x) * (w2 x))."""
MUON = (3.4445, -4.7750, 2.0315)


def forward(weights: Weights, x: Tensor) -> Tensor:
    """f(x) of each row; x [L, D]."""
    w0, w1, w2 = weights
    return (silu(x @ w0.T) * (x @ w2.T)) @ w1.T


def descent(weights: Weights, keys: Tensor, values: Tensor, rates: Tensor) -> Weights:
    """For each weight the step against its gradient of the chunk's loss, the sum of -rate f(k) . v over its tokens
    with rates of its own; keys, values [L, D], rates [L, 3]."""
    steps = []
    for number in range(3):
        inner = tuple(weight.clone().requires_grad_() for weight in weights)
        loss = -(rates[:, number] * (forward(inner, keys) * values).sum(-1)).sum()
        (gradient,) = torch.autograd.grad(loss, inner[number])
        steps.append(-gradient)
    return steps[0], steps[1], steps[2]


def momentum(before: Weights, steps: Weights, decay: Tensor) -> Weights:
    """The steps with what is left of earlier ones; decay [L] is each token's, of which the chunk takes the mean."""
    m0, m1, m2 = (step + decay.mean() * old for step, old in zip(steps, before, strict=True))
    return m0, m1, m2


def orthogonal(matrix: Tensor) -> Tensor:
    """Muon's five Newton-Schulz iterations: the singular vectors stay, the singular values come near 1."""
    a, b, c = MUON
    x = matrix / (matrix.norm() + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x


def trained(weight: Tensor, step: Tensor, start: Tensor) -> Tensor:
    """weight + orthogonal(step), each row as long as that of the weight that the sequence began with."""
    moved = weight + orthogonal(step)
    return moved / (moved.norm(dim=1, keepdim=True) + 1e-5) * start.norm(dim=1, keepdim=True)
