"""Loops: what goes from pass to pass, and the layers of what a loop goes through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hetc.backends.reference.environment import Environment, OracleError
from hetc.backends.reference.tensors import SparseTensor, Tensor
from hetc.dialects.mp import PASS_NUMBER, TensorType, layer_type


def pass_number(number: int) -> Tensor:
    """The number of a pass as a tensor."""
    return Tensor(np.asarray(number), PASS_NUMBER, np.asarray(True))


def as_stored(tensor: Tensor | SparseTensor) -> Tensor:
    """The tensor as a memory would hold it: every element is present, an absent one is its fill."""
    if isinstance(tensor, SparseTensor):
        raise OracleError("mp.for: a sparse tensor is neither carried nor written")
    return replace(tensor, conditions={}, selection=None)


def layer(tensor: Tensor | SparseTensor, number: int, passes: int) -> Tensor:
    """What lies at [number, ...]."""
    whole = as_stored(tensor)
    magnitude = None if whole.magnitude is None else whole.magnitude[number, ...]
    kind = layer_type(whole.type, passes)
    return Tensor(whole.array[number, ...], kind, whole.inside[number, ...], {}, magnitude, whole.is_storage)


def whole(layers: Sequence[Tensor], type: TensorType, environment: Environment) -> Tensor:
    """The tensor of which these are all layers, in order."""
    array = np.stack([item.array for item in layers])
    magnitude = None
    if any(item.magnitude is not None for item in layers):
        sizes = [np.abs(item.array) if item.magnitude is None else item.magnitude for item in layers]
        magnitude = np.stack(sizes)
    is_storage = all(item.is_storage for item in layers)
    return Tensor(array, type, environment.exists(type.shape, array.shape), {}, magnitude, is_storage)
