"""What a name of a pipeline can stand for: a dim, a declared tensor, and the newest value of a tensor."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import SSAValue

from hetc.compiler.frontend.arithmetic.constants import Constant
from hetc.dialects.mp import TensorType
from hetc.dialects.mp.derived import Groups
from hetc.source import Span


@dataclass(frozen=True)
class Dim:
    """A dim: constant (`size`) or known at run time (`bound`, perhaps one value for each row of `per`)."""

    name: str
    size: int | None
    bound: int | None
    per: str | None
    span: Span
    derived: Groups = ()
    of: tuple[str, ...] = ()

    @property
    def key(self) -> int | str:
        """The extent as types spell it."""
        return self.name if self.size is None else self.size


@dataclass(frozen=True)
class Declared:
    """A declared input, weight or memory. `group`: the memory that others lie beside, itself among them; `stripes`: the
    memory channels that were asked for, 0 for as many as seem best."""

    name: str
    role: str
    type: TensorType
    span: Span
    initial: Constant | None = None
    group: str = ""
    stripes: int = 0
    ring: tuple[int, str] | None = None
    """For a ring memory the position of the dim that counts its slots, and the memory that counts its appends."""


@dataclass
class Tensor:
    """A name that statements can read: `value` is its newest version. Poisoned after an error that was told."""

    name: str
    span: Span
    value: SSAValue | None = None
    constant: Constant | None = None
    declared: Declared | None = None

    @property
    def is_poisoned(self) -> bool:
        return self.value is None and self.constant is None

    @property
    def type(self) -> TensorType:
        assert self.value is not None
        type_ = self.value.type
        assert isinstance(type_, TensorType)
        return type_
