"""The generator's own expressions, dims and tensors, with what the compiler must never be asked about them.

`kind` is the type of a value: f (float), i (i32), l (i64), x (position), b (condition), q (a rounded integer that may
be one off, read as a float only). `exact` says that a float is a multiple of a power of two small enough for f32 to
hold every intermediate result without rounding: only exact values may decide anything (comparisons, selections,
rounding to integers), since two correct backends may differ elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


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
    """An index in scope, or the number of a loop's pass."""

    name: str


@dataclass(frozen=True)
class DimValue(Expr):
    """A dim's extent; `row` is the index of its row for a dim per another."""

    dim: str
    row: str | None


@dataclass(frozen=True)
class Read(Expr):
    """An element of a tensor. `calls` is a tensor without dims."""

    tensor: str
    indices: tuple[Expr, ...]


@dataclass(frozen=True)
class Unary(Expr):
    """A function, a cast or a sign. `as f32` is the number that an integer or a condition counts as beside a float: it
    is not spelled."""

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
class Concat(Expr):
    """concat[index](parts): one part after another along an index in scope, which each part uses as its own.

    extents: of each part along the index, a dim and the index of its row."""

    index: str
    parts: tuple[Expr, ...]
    extents: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True)
class Age(Expr):
    """age(ring, slot): 0 for the newest; `alone` leaves the ring out."""

    ring: str
    slot: Expr
    alone: bool


@dataclass(frozen=True)
class Argument(Expr):
    """A parameter in the body of a function that returns an expression."""

    name: str


@dataclass(frozen=True)
class Call(Expr):
    """A call of a function that returns an expression; `body` is what it returns, over its parameters."""

    function: str
    parameters: tuple[str, ...]
    arguments: tuple[Expr, ...]
    body: Expr


@dataclass(frozen=True)
class Whole(Expr):
    """function[index](operand): a function over an index (see `wholes`), which keeps the index or reduces over it."""

    function: str
    index: str
    dim: str
    row: str | None
    operand: Expr
    spell_bound: bool


@dataclass(frozen=True)
class Dim:
    """size: constant; otherwise known at run time, at most `bound`, one a row of `per` if given. written: a larger
    bound that the program declares.

    derived: (function, a dim, an operand): `//`, `ceildiv`, `-`, `min` and `+` of a run-time dim and a number, or of
    two constant dims (then `size` is given, too). A dim whose name is a number stands for a bound written in place.
    """

    name: str
    size: int | None = None
    bound: int = 0
    per: str | None = None
    derived: tuple[str, str, int | str] | None = None
    written: int = 0


@dataclass(frozen=True)
class Tensor:
    """A declared or defined tensor. `dims` name its extents. `exact`, `bound`, `step_bits` as for expressions.

    ring: a memory that keeps its last rows, its slots along the first dim of constant extent. initial: what a memory
    begins with, a number or a tensor's name. largest: the magnitude up to which data is drawn. scores: of topk, whose
    absent ones are stored as the lowest value. layout: of a memory, as it is written.
    """

    name: str
    dims: tuple[str, ...]
    dtype: str
    role: str
    kind: str
    exact: bool
    bound: float
    step_bits: int
    ring: bool = False
    initial: float | str | None = None
    largest: float = 2
    scores: bool = False
    layout: str = ""


KINDS = {"i": "i32", "l": "i64", "x": "index", "b": "bool", "f": "f32"}
"""The dtype of a defined tensor by the kind of its value, unless a cast is outermost."""
NARROW_FLOATS = ("bf16", "f16", "fp8", "fp8e5m2", "fp4", "e8m0")
NARROW_INTEGERS = ("i8", "u8", "i4", "u4", "i2", "u2", "i16")
PACKED = {"fp4": "fp8", "i4": "i8", "u4": "u8", "i2": "i8", "u2": "u8"}
"""Those that share bytes along the last dim, which must be constant, and what stands for them where it is not."""
FORMATS = {("fp4", "e8m0"): "mxfp4", ("fp8", "e8m0"): "mxfp8", ("fp4", "fp8"): "nvfp4"}
"""The names of values with their scales."""
LIMITS = {
    "i2": (-2, 1),
    "u2": (0, 3),
    "i4": (-8, 7),
    "u4": (0, 15),
    "i8": (-128, 127),
    "u8": (0, 255),
    "i16": (-(2**15), 2**15 - 1),
    "i32": (-(2**31), 2**31 - 1),
    "i64": (-(2**63), 2**63 - 1),
}


def is_position(expr: Expr) -> bool:
    """Whether the language calculates with an expression of kind i or x as with an index: exactly, not in 32 bits."""
    match expr:
        case Var() | DimValue() | Age():
            return True
        case Read():
            return expr.kind == "x"
        case Unary():
            return expr.function in ("-", "~", "abs", "relu", "sign") and is_position(expr.operand)
        case Binary(operator="**"):
            return is_position(expr.left)
        case Binary():
            return expr.kind in "ix" and (is_position(expr.left) or is_position(expr.right))
        case Where():
            return is_position(expr.value) or (expr.otherwise is not None and is_position(expr.otherwise))
        case Reduce():
            return expr.function in ("argmax", "argmin")
        case Concat():
            return any(map(is_position, expr.parts))
        case Call():
            return is_position(expr.body)
    return False


def absent_lane(tensor: Tensor) -> tuple[float, float] | float | bool:
    """What stands in a tensor where an element is absent."""
    if tensor.scores:
        return (-math.inf, 0.0) if tensor.kind == "f" else -(2**31)
    return {"f": (0.0, 0.0), "i": 0, "l": 0, "x": -1, "b": False, "q": (0.0, 0.0)}[tensor.kind]


def kind_of(dtype: str) -> str:
    """The kind of the values of a dtype."""
    if dtype.startswith("sparse ") or dtype in (*NARROW_INTEGERS, "i32"):
        return "i"
    return {"bool": "b", "i64": "l", "index": "x"}.get(dtype, "f")


def dtype_of(value: Expr) -> str:
    """The dtype of a tensor that is defined by a value."""
    if isinstance(value, Call):
        return dtype_of(value.body)
    if isinstance(value, Unary) and value.function in (*NARROW_FLOATS, *NARROW_INTEGERS, "i64"):
        return value.function
    return KINDS[value.kind]
