"""What the names of a pipeline stand for while its statements are compiled, and how an error is said."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from xdsl.ir import SSAValue

from hetc.compiler.frontend.resolve.names import as_written
from hetc.compiler.frontend.resolve.symbols import Declared, Dim, Tensor
from hetc.compiler.frontend.resolve.typed import AlongConstruct, Guard
from hetc.compiler.frontend.syntax import ast
from hetc.compiler.frontend.syntax.elsewhere import CONSTANTS_ELSEWHERE, instead_of
from hetc.diagnostics import Diagnostics, Related, suggest
from hetc.dialects.mp import Intervals, below
from hetc.source import Span

# What the inliner puts before the names that a function defines.
_LOCAL_NAME = re.compile(r"%\w+\.\d+\.")


class Refused(Exception):
    """Ends the statement (or declaration) in hand; its diagnostic is already recorded."""


@dataclass(frozen=True)
class Ended:
    """Where a block stands that defined a name for itself, and what would have kept the name."""

    span: Span
    help: str


@dataclass(frozen=True)
class LoopLayers:
    """A loop around statements: the names of the layers that it goes through."""

    layers: frozenset[str]
    passes: int
    span: Span


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
    # The dims that some step of the pipeline grows.
    growing: frozenset[str] = frozenset()
    # Where each memory is appended to.
    appended: dict[str, Span] = field(default_factory=dict)
    # Names whose declaration was refused: using them is no second mistake.
    broken: set[str] = field(default_factory=set)
    # Inputs that the step at hand does not take, and where the step is.
    outside: dict[str, Span] = field(default_factory=dict)
    # Every name that stands in the program's statements.
    words: frozenset[str] = frozenset()
    # The program's own functions.
    functions: set[str] = field(default_factory=set)
    # The built-in functions along an index.
    along: Mapping[str, AlongConstruct] = field(default_factory=dict)
    # The conditions (`when`) around the statement at hand, outer ones first.
    guards: list[Guard] = field(default_factory=list)
    # Names that a block defined inside.
    ended: dict[str, Ended] = field(default_factory=dict)
    # The loops around the statement at hand, outer ones first.
    loops: list[LoopLayers] = field(default_factory=list)
    # The calls of functions that the statement at hand came from, outer ones first.
    calls: list[ast.Inlined] = field(default_factory=list)
    # Between what the step's values lie.
    intervals: Intervals = field(init=False)

    def __post_init__(self) -> None:
        self.intervals = Intervals(self._largest)

    def _largest(self, dim: str) -> int:
        """The bound of a run-time dim."""
        bound = self.dims[dim].bound
        assert bound is not None
        return bound

    def know_index(self, value: SSAValue, extent: int | str) -> None:
        """Note what an index runs over."""
        self.intervals.know(value, below(extent if isinstance(extent, int) else self._largest(extent)))

    def know_passes(self, number: SSAValue, passes: int) -> None:
        """Note what the number of a loop's pass lies between, before the loop is there."""
        self.intervals.know_elements(number, below(passes))

    def for_step(self) -> Environment:
        """An environment for one more step: what is declared is shared, what statements define is not."""
        made = Environment(self.diagnostics, self.dims, self.declared, used=self.used, broken=set(self.broken))
        made.functions, made.growing, made.words = self.functions, self.growing, self.words
        made.along = self.along
        return made

    def declared_names(self) -> dict[str, Span]:
        """Where each dim and each declared tensor is declared."""
        taken = {dim.name: dim.span for dim in self.dims.values()}
        return taken | {declared.name: declared.span for declared in self.declared.values()}

    def names(self) -> dict[str, Span]:
        """Where each dim and each tensor so far comes from."""
        return self.declared_names() | {tensor.name: tensor.span for tensor in self.tensors.values()}

    def is_single(self, name: str) -> bool:
        """Whether a name stands for one value, as a dim and a tensor without extents do."""
        tensor = self.tensors.get(name)
        if tensor is None or tensor.is_poisoned:
            return name in self.dims
        return tensor.constant is not None or tensor.type.rank == 0

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
        for call in reversed(self.calls):
            function = call.function
            if function.span.file == span.file and function.span.start <= span.start <= function.span.end:
                # What is wrong shows in the function, but the caller is who can mend it.
                related = (Related(span, f"in `{function.name}`, here"), *related)
                message = _LOCAL_NAME.sub("", message)
                span, label = call.call_span, label or f"in this call of `{function.name}`"
        related = [Related(item.span, as_written(item.message)) for item in related]
        help = None if help is None else as_written(help)
        self.diagnostics.error(code, as_written(message), span, label=as_written(label), related=related, help=help)
        return Refused()

    def poison(self, statement: ast.Define | ast.Effect) -> None:
        """After an error in a statement: uses of what it would have defined say nothing more."""
        for target in statement.targets if isinstance(statement, ast.Define) else ():
            if target.name not in self.declared:
                self.tensors[target.name] = Tensor(target.name, target.name_span)

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
        if name in self.outside:
            related = (Related(self.outside[name], "this step"),)
            wanted = f"add `{name}` to the step's inputs"
            return self.refuse("HET100", f"the step does not take `{name}`", span, related=related, help=wanted)
        if name in self.ended:
            ended = self.ended[name]
            message = f"`{name}` ends with the block that defines it"
            return self.refuse("HET100", message, span, related=(Related(ended.span, "this block"),), help=ended.help)
        if name in self.later:
            related = (Related(self.later[name], "it is defined here"),)
            message = f"`{name}` is used before it is defined"
            return self.refuse("HET100", message, span, related=related, help="statements run in the order of the file")
        close = suggest(name, candidates)
        is_known = name.lower() in CONSTANTS_ELSEWHERE or len(name) < 3  # `mm` is no slip of `m`
        help = (instead_of(name) if is_known or not close else None) or (close and f"did you mean `{close}`?")
        if name.lower() in ("true", "false", "inf"):
            help = f"write `{name.lower()}`"
        return self.refuse("HET100", f"unknown {kind} `{name}`", span, help=help)
