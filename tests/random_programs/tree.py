"""The generator's own trees: programs and expressions, with what the compiler must never be asked about them.

`kind` is the type of a value: f (float), i (i32), l (i64), x (position), b (condition). `exact` says that a float is a
multiple of a power of two small enough for f32 to hold every intermediate result without rounding: only exact values
may decide anything (comparisons, selections, rounding to integers), since two correct backends may differ elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Expr:
    """An expression. `bound` is the largest magnitude that it can have, `step_bits` the binary places it needs."""

    kind: str
    exact: bool
    bound: float
    step_bits: int


@dataclass(frozen=True)
class Const(Expr):
    value: float


@dataclass(frozen=True)
class Var(Expr):
    """An index in scope."""

    name: str


@dataclass(frozen=True)
class DimValue(Expr):
    """A dim's extent; `row` is the index of its row for a dim per another."""

    dim: str
    row: str | None


@dataclass(frozen=True)
class Read(Expr):
    tensor: str
    indices: tuple[Expr, ...]


@dataclass(frozen=True)
class Unary(Expr):
    function: str
    operand: Expr


@dataclass(frozen=True)
class Binary(Expr):
    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Where(Expr):
    """where(condition, value, otherwise); without `otherwise` absent where the condition is false."""

    condition: Expr
    value: Expr
    otherwise: Expr | None


@dataclass(frozen=True)
class Reduce(Expr):
    """function[index](body); `joined`: written in one pair of brackets with the body's reduction, the same function."""

    function: str
    index: str
    dim: str
    row: str | None
    body: Expr
    spell_bound: bool
    joined: bool = False


@dataclass(frozen=True)
class Dim:
    """size: constant; otherwise known at run time, at most `bound`, one a row of `per` if given.

    derived: (`//` or `ceildiv`, a run-time dim, a divisor). A dim whose name is a number stands for a bound
    written in place.
    """

    name: str
    size: int | None = None
    bound: int = 0
    per: str | None = None
    derived: tuple[str, str, int] | None = None


@dataclass(frozen=True)
class Tensor:
    """A declared or defined tensor. `dims` name its extents. `exact`, `bound`, `step_bits` as for expressions."""

    name: str
    dims: tuple[str, ...]
    dtype: str
    role: str
    kind: str
    exact: bool
    bound: float
    step_bits: int


@dataclass(frozen=True)
class Define:
    """tensor[indices] = value; `spelled` are the indices written with `< DIM` on the left.

    A tensor with the role memory is updated whole; the value may read its old elements."""

    tensor: Tensor
    indices: tuple[str, ...]
    value: Expr
    spelled: tuple[str, ...]
    stage: str


@dataclass(frozen=True)
class Softmax:
    tensor: Tensor
    indices: tuple[str, ...]
    axis: int
    value: Expr
    stage: str


@dataclass(frozen=True)
class Topk:
    """best, picked = topk[index](value, k): both tensors have the free indices and one over `slot_dim`."""

    scores: Tensor
    picked: Tensor
    free: tuple[str, ...]
    slot: str
    index: str
    dim: str
    row: str | None
    value: Expr
    k: str
    order: str
    stage: str


@dataclass(frozen=True)
class Select:
    """tensor = select[index](value > threshold, capacity=k); `strict` says > instead of >=."""

    tensor: Tensor
    free: tuple[str, ...]
    slot: str
    index: str
    dim: str
    row: str | None
    value: Expr
    threshold: Expr
    strict: bool
    k: str
    stage: str


@dataclass(frozen=True)
class Rope:
    """tensor[indices] = rope[last index](value, at=at, dims=, layout=); the value is present everywhere."""

    tensor: Tensor
    indices: tuple[str, ...]
    value: Expr
    at: Expr
    channels: int
    layout: str
    stage: str


@dataclass(frozen=True)
class Quantize:
    """tensor[indices], scale[all but the last] = quantize[last index](value, to, scale=pow2); present everywhere."""

    tensor: Tensor
    scale: Tensor
    indices: tuple[str, ...]
    value: Expr
    to: str
    stage: str


@dataclass(frozen=True)
class Append:
    memory: str
    rows: str
    stage: str


@dataclass(frozen=True)
class Put:
    """memory[all indices but the last, place] = value, or += value, for each of the indices; `place` is an integer."""

    memory: str
    indices: tuple[str, ...]
    dims: tuple[str, ...]
    place: Expr
    value: Expr
    adds: bool
    stage: str


Statement = Define | Softmax | Topk | Select | Rope | Quantize | Append | Put


def defined(statement: Statement) -> tuple[str, ...]:
    """The names that a statement gives a value; an append and an update name their memory."""
    match statement:
        case Append() | Put():
            return (statement.memory,)
        case Topk():
            return (statement.scores.name, statement.picked.name)
        case Quantize():
            return (statement.tensor.name, statement.scale.name)
    return (statement.tensor.name,)


@dataclass
class Program:
    """A whole random program. `grows` maps a dim to the rows that each call appends: a number or a dim."""

    seed: int
    dims: dict[str, Dim] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    grows: dict[str, int | str] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)

    @property
    def declared(self) -> list[Tensor]:
        return [tensor for tensor in self.tensors.values() if tensor.role != "value"]
