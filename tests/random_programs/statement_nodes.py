"""The statements of a random program that hold no others."""

from __future__ import annotations

from dataclasses import dataclass

from random_programs.tree import Expr, Tensor


@dataclass(frozen=True)
class Define:
    """tensor[indices] = value; `spelled` are the indices written with `< DIM` on the left.

    A tensor with the role memory is updated whole; the value may read its old elements. `layer`: what is written is
    the layer of the memory that a loop is at, and `indices` go over its other dims."""

    tensor: Tensor
    indices: tuple[str, ...]
    value: Expr
    spelled: tuple[str, ...]
    layer: str = ""


@dataclass(frozen=True)
class Softmax:
    """tensor[indices] = softmax[...](value), over the indices at the positions `axes`, in that order."""

    tensor: Tensor
    indices: tuple[str, ...]
    axes: tuple[int, ...]
    value: Expr


@dataclass(frozen=True)
class Over:
    """An index that a statement goes over: its dim, and the index of its row for a dim per another."""

    index: str
    dim: str
    row: str | None


@dataclass(frozen=True)
class Topk:
    """best, picked = topk[over](value, k), one tensor of picks for each index: all have the free indices and one over
    `k`."""

    scores: Tensor
    picked: tuple[Tensor, ...]
    free: tuple[str, ...]
    slot: str
    over: tuple[Over, ...]
    value: Expr
    k: str
    order: str


@dataclass(frozen=True)
class Select:
    """kept = select[over](value > threshold, capacity=k), one tensor an index; `strict` says > instead of >=."""

    kept: tuple[Tensor, ...]
    free: tuple[str, ...]
    slot: str
    over: tuple[Over, ...]
    value: Expr
    threshold: Expr
    strict: bool
    k: str


@dataclass(frozen=True)
class Extreme:
    """places = argmax[over](value), or argmin: one tensor an index, over the free ones."""

    function: str
    places: tuple[Tensor, ...]
    free: tuple[str, ...]
    over: tuple[Over, ...]
    value: Expr


@dataclass(frozen=True)
class Sort:
    """tensor, places = sort[over](value): in order, ties by lower index, and where each was, one tensor an index, if
    asked for."""

    tensor: Tensor
    places: tuple[Tensor, ...]
    free: tuple[str, ...]
    slot: str
    over: tuple[Over, ...]
    value: Expr
    descending: bool
    spell_bound: bool


@dataclass(frozen=True)
class Rope:
    """tensor[indices] = rope[last index](value, at=at, dims=, layout=, base=, scaling=); present everywhere.

    scaling: the rule and its arguments in order."""

    tensor: Tensor
    indices: tuple[str, ...]
    value: Expr
    at: Expr
    channels: int
    layout: str
    base: float | None = None
    scaling: tuple[str, tuple[float, ...]] | None = None


@dataclass(frozen=True)
class Quantize:
    """tensor[indices], scale[the others] = quantize[the last `axes` indices](value, to, ...); present everywhere.

    block: the elements that share a scale, which then has `block_index` in the last one's place. named: the type and
    the rule are written as the name of a format."""

    tensor: Tensor
    scale: Tensor
    indices: tuple[str, ...]
    value: Expr
    to: str
    rule: str = "pow2"
    floor: float | None = None
    block: int | None = None
    block_index: str = ""
    axes: int = 1
    named: bool = False


@dataclass(frozen=True)
class Append:
    """append(memory, rows); `layer`: to the layer of the memory that a loop is at."""

    memory: str
    rows: str
    layer: str = ""


@dataclass(frozen=True)
class Put:
    """memory[places] = value for each of the indices, or another operator; `places` are integers.

    bounded: plain indices with a bound of their own, which is their dim."""

    memory: str
    indices: tuple[str, ...]
    dims: tuple[str, ...]
    places: tuple[Expr, ...]
    value: Expr
    operator: str
    bounded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Clear:
    """clear(name): the memories along a dim when the step completes, or a ring at once."""

    name: str


@dataclass(frozen=True)
class Invoke:
    """targets = function(arguments), for a function with statements. Each target stands for a tensor that the function
    returns, or for a single value."""

    function: str
    arguments: tuple[str, ...]
    targets: tuple[Tensor, ...]


@dataclass(frozen=True)
class Alias:
    """Another name of a tensor: what is left of a call that gives one."""

    name: str
    of: str
