"""The generator's own trees: programs and expressions, with what the compiler must never be asked about them.

`kind` is the type of a value: f (float), i (integer), x (position), c (condition). `exact` says that a float is a
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
    function: str
    index: str
    dim: str
    row: str | None
    body: Expr
    spell_bound: bool


@dataclass(frozen=True)
class Dim:
    """size: constant; otherwise known at run time, at most `bound`, one a row of `per` if given."""

    name: str
    size: int | None = None
    bound: int = 0
    per: str | None = None


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
    """tensor[indices] = value; `bounds` are the indices written with `< DIM` on the left."""

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
class Append:
    memory: str
    rows: str
    stage: str


Statement = Define | Softmax | Topk | Append


@dataclass
class Program:
    """A whole random program. `grows` maps a dim to the rows that each call appends."""

    seed: int
    dims: dict[str, Dim] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    grows: dict[str, int] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)

    @property
    def declared(self) -> list[Tensor]:
        return [tensor for tensor in self.tensors.values() if tensor.role != "value"]
