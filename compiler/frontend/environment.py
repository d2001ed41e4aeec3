"""What the names of a pipeline stand for while its statements are compiled, and how an error is said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from xdsl.dialects.builtin import AffineMapAttr
from xdsl.ir import SSAValue

from hetc.compiler.frontend.constants import Constant
from hetc.diagnostics import Diagnostics, Related, suggest
from hetc.dialects.mp import TensorType
from hetc.source import Span


class Refused(Exception):
    """Ends the statement (or declaration) in hand; its diagnostic is already recorded."""


@dataclass(frozen=True)
class Dim:
    """A dim: constant (`size`) or known at run time (`bound`, perhaps one value for each row of `per`)."""

    name: str
    size: int | None
    bound: int | None
    per: str | None
    span: Span
    derived: AffineMapAttr | None = None
    of: tuple[str, ...] = ()

    @property
    def key(self) -> int | str:
        """The extent as types spell it."""
        return self.name if self.size is None else self.size


@dataclass(frozen=True)
class Declared:
    """A declared input, weight or memory."""

    name: str
    role: str
    type: TensorType
    span: Span
    initial: Constant | None = None


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


@dataclass
class Environment:
    """All names of one pipeline. `later` holds where names are defined that no statement so far has defined."""

    diagnostics: Diagnostics
    dims: dict[str, Dim] = field(default_factory=dict)
    declared: dict[str, Declared] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    later: dict[str, Span] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    # What the step appends along each growing dim: a number of rows or the dim that gives it.
    growth: dict[str, int | str] = field(default_factory=dict)
    # Where each memory is appended to.
    appended: dict[str, Span] = field(default_factory=dict)
    # Names whose declaration was refused: using them is no second mistake.
    broken: set[str] = field(default_factory=set)

    def refuse(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        label: str = "",
        related: Iterable[Related] = (),
        help: str | None = None,
    ) -> Refused:
        """Records an error and gives the exception to raise."""
        self.diagnostics.error(code, message, span, label=label, related=related, help=help)
        return Refused()

    def dim_of_extent(self, key: int | str) -> Dim | None:
        """The run-time dim that an extent names, None for a constant."""
        return self.dims[key] if isinstance(key, str) else None

    def tensor(self, name: str, span: Span) -> Tensor:
        """The tensor called `name`. Raises Refused where there is none, silently where it is poisoned."""
        found = self.tensors.get(name)
        self.used.add(name)
        if found is None:
            raise self.unknown(name, span, "tensor", self.tensors)
        if found.is_poisoned:
            raise Refused()
        return found

    def unknown(self, name: str, span: Span, kind: str, candidates: Iterable[str]) -> Refused:
        """An error for a name that stands for nothing; silent where its declaration was refused."""
        if name in self.broken:
            return Refused()
        if name in self.later:
            related = (Related(self.later[name], "it is defined here"),)
            message = f"`{name}` is used before it is defined"
            return self.refuse("HET100", message, span, related=related, help="statements run in the order of the file")
        close = suggest(name, candidates)
        help = f"did you mean `{close}`?" if close else None
        return self.refuse("HET100", f"unknown {kind} `{name}`", span, help=help)
