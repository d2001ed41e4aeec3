"""What several commands share: verbosity, the options that select what is compiled, and their parsing."""

from __future__ import annotations

import contextlib
import logging
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hetc.devices import device_kinds
from hetc.diagnostics import EXIT_USAGE, Diagnostic, DiagnosticError, suggest, visible
from hetc.passes.partition.policies import OBJECTIVES, POLICIES
from hetc.source import STDIN

if TYPE_CHECKING:  # the driver brings the whole compiler
    from hetc.compiler.driver import Options
    from hetc.source import SourceFile

Function = TypeVar("Function", bound=Callable[..., Any])

_DIM = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?P<value>\S+)")
_PIN = re.compile(r"(?P<stage>[A-Za-z_][\w.]*)=(?P<device>[A-Za-z_]\w*)")
# `2**20`, `1_048_576` and `64k` are not told apart by eye from 65536 often enough: all of them are accepted.
MAX_EXTENT = 2**31 - 1
_SUFFIXES = {"k": 1 << 10, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@dataclass
class State:
    """How much a run says: `verbose` counts -v, `quiet` leaves only errors and asked-for output."""

    verbose: int = 0
    quiet: bool = False


def verbosity_options(function: Function) -> Function:
    """`-v` and `-q`, before or after the command's name."""

    def verbose(ctx: click.Context, _parameter: click.Parameter, count: int) -> None:
        ctx.ensure_object(State).verbose += count
        if count:
            _show_log()

    def quiet(ctx: click.Context, _parameter: click.Parameter, given: bool) -> None:
        ctx.ensure_object(State).quiet |= given

    for decorate in (
        click.option("-q", "--quiet", is_flag=True, expose_value=False, callback=quiet, help="Print errors only."),
        click.option("-v", "--verbose", count=True, expose_value=False, callback=verbose, help="Say more."),
    ):
        function = decorate(function)
    return function


class _StandardError(logging.Handler):
    """Prints what the package logs, one line each, to what is stderr at that time."""

    def emit(self, record: logging.LogRecord) -> None:
        remark(f"{record.getMessage()}\n")


def _show_log() -> None:
    log = logging.getLogger("hetc")
    log.setLevel(logging.INFO)
    if not any(isinstance(handler, _StandardError) for handler in log.handlers):
        log.addHandler(_StandardError())


dim_option = click.option(
    "-D", "dims", metavar="NAME=N", multiple=True, help="Override a constant dim or a bound; repeatable."
)
dims_file_option = click.option(
    "--dims", "dims_file", metavar="FILE.toml", help="[dims] overrides, [estimate] extents."
)


def selection_options(function: Function) -> Function:
    """The options that decide what is compiled; the command gets them as `selection: Selection`."""

    def gather(**values: Any) -> Any:
        names = ("platform", "dims_file", "dims", "policy", "objective", "pins", "layouts")
        chosen = {name: values.pop(name) for name in names}
        return function(selection=Selection(**chosen), **values)

    gather.__doc__, gather.__name__ = function.__doc__, function.__name__
    # What the inner decorators (arguments, other options) have already attached.
    gather.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    for decorate in (
        click.option(
            "--layout", "layouts", metavar="MEMORY=LAYOUT", multiple=True, help="How a memory lies: keys=paged(64)."
        ),
        click.option("--pin", "pins", metavar="STAGE=DEVICE", multiple=True, help="Place a stage yourself."),
        click.option(
            "--objective",
            default=None,
            metavar="NAME",
            help=f"What policy auto takes the least of: {', '.join(OBJECTIVES)}.",
        ),
        click.option(
            "--policy",
            default=None,
            metavar="NAME",
            help="auto: the cheapest plan (default). intensity: the rule.",
        ),
        dim_option,
        dims_file_option,
        click.option(
            "-p", "--platform", default=None, metavar="NAME", help="A platform's name, or its file; auto: what is here."
        ),
    ):
        gather = decorate(gather)
    return gather  # type: ignore[return-value]


@dataclass(frozen=True)
class Selection:
    """The selection options as the user spelled them."""

    platform: str | None
    dims_file: str | None
    dims: tuple[str, ...]
    policy: str | None
    objective: str | None
    pins: tuple[str, ...]
    layouts: tuple[str, ...] = ()

    @property
    def given(self) -> list[str]:
        """The options that were given, by their spelling."""
        spelled = {
            "--platform": self.platform,
            "--dims": self.dims_file,
            "-D": self.dims,
            "--policy": self.policy,
            "--objective": self.objective,
            "--pin": self.pins,
            "--layout": self.layouts,
        }
        return [name for name, value in spelled.items() if value]

    def refuse_for_directory(self, directory: str) -> None:
        """Raises DiagnosticError (exit 2) where an option was given that a compiled directory cannot follow."""
        if self.given:
            message = f"`{directory}` is compiled already: {', '.join(self.given)} would change nothing"
            raise usage("HET404", message, "give the .mp file instead")

    def options(self, source: SourceFile, default: str = "") -> Options:
        """As the driver's options, over those of a Python pipeline's decorator; `default` is the platform where none is
        named. Raises DiagnosticError (exit 2)."""
        from hetc.compiler.driver import Options
        from hetc.compiler.embedding.source import decorator_options
        from hetc.platforms import DEFAULT_PLATFORM
        from hetc.platforms.here import AUTO, platform_here

        for kind, name, known in (("policy", self.policy, POLICIES), ("objective", self.objective, OBJECTIVES)):
            if name is not None and name not in known:
                raise unknown(kind, name, known)
        dims, estimate = read_extents(self.dims_file, self.dims)
        own = decorator_options(source)
        platform = self.platform or own.get("platform") or default or DEFAULT_PLATFORM
        return Options(
            platform=platform_here() if platform == AUTO else platform,
            dims={**own.get("dims", {}), **dims},
            estimate={**own.get("estimate", {}), **estimate},
            pins={**own.get("pins", {}), **parse_pins(self.pins)},
            layouts={**own.get("layouts", {}), **dict(parse_layout(text) for text in self.layouts)},
            policy=self.policy or own.get("policy", POLICIES[0]),
            objective=self.objective or own.get("objective", OBJECTIVES[0]),
        )

    def say_default(self, source: SourceFile) -> None:
        """Say which platform is taken where none is named."""
        from hetc.compiler.embedding.source import decorator_options
        from hetc.platforms import DEFAULT_PLATFORM

        if not (self.platform or decorator_options(source).get("platform")):
            say(f"for {DEFAULT_PLATFORM}, as no platform is named; -p auto is this machine")


def read_extents(dims_file: str | None, dims: Iterable[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Overrides and extents of estimates from --dims and -D. Raises DiagnosticError (exit 2)."""
    from hetc.compiler.cli.dims_file import read_dims_file

    overrides, estimate = read_dims_file(dims_file) if dims_file is not None else ({}, {})
    # The command line goes before the file, as everywhere.
    return {**overrides, **dict(parse_dim(text) for text in dims)}, estimate


def parse_dim(text: str, option: str = "-D") -> tuple[str, int]:
    """`T=65536` (also `65_536`, `64k`, `2**16`) as name and extent. Raises DiagnosticError (exit 2)."""
    found = _DIM.fullmatch(text.strip())
    if found is None:
        raise usage("HET404", f"{option} takes NAME=EXTENT; found `{text}`", f"write for example `{option} T=65536`")
    extent = parse_extent(found["value"])
    if extent is not None and extent > MAX_EXTENT:
        raise usage("HET404", f"{option} {found['name']}: {found['value']} is too large; the limit is {MAX_EXTENT}")
    if extent is None:
        raise usage(
            "HET404",
            f"{option} {found['name']}: expected a positive integer; found `{found['value']}`",
            f"write for example `{option} {found['name']}=65536`, `64k` or `2**16`",
        )
    return found["name"], extent


def parse_extent(text: str) -> int | None:
    """A positive integer in one of the accepted spellings, else None."""
    power = re.fullmatch(r"(\d{1,10})\*\*(\d{1,2})", text)
    suffixed = re.fullmatch(r"(\d[\d_]{0,200})([kKMG]?)", text)
    if power:
        value = int(power[1]) ** int(power[2])
    elif suffixed:
        try:
            value = int(suffixed[1]) * _SUFFIXES.get(suffixed[2], 1)
        except ValueError:  # `1__0`
            return None
    else:
        return None
    return value if value > 0 else None


def parse_pin(text: str) -> tuple[str, str]:
    """`relevancy=gpu` as stage and device kind. Raises DiagnosticError (exit 2)."""
    found = _PIN.fullmatch(text.strip())
    if found is None:
        message = f"--pin takes STAGE=DEVICE; found `{text}`"
        raise usage("HET404", message, f"write for example `--pin relevancy={device_kinds()[0]}`")
    return found["stage"], found["device"]


def parse_pins(texts: Iterable[str]) -> dict[str, str]:
    """Every --pin as stage and device kind. Raises DiagnosticError (exit 2), also where two pins disagree."""
    pins: dict[str, str] = {}
    for stage, device in map(parse_pin, texts):
        if pins.setdefault(stage, device) != device:
            raise usage("HET404", f"--pin places `{stage}` on {pins[stage]} and on {device}", "give one of them")
    return pins


def parse_layout(text: str) -> tuple[str, str]:
    """`keys=paged(64)` as memory and layout. Raises DiagnosticError (exit 2)."""
    name, equals, layout = text.partition("=")
    if not equals or not name.strip().isidentifier() or not layout.strip():
        message = f"--layout takes MEMORY=LAYOUT; found `{text}`"
        raise usage("HET404", message, "write for example `--layout 'keys=paged(64)'`")
    return name.strip(), layout.strip()


def usage(code: str, message: str, help: str | None = None) -> DiagnosticError:
    """An error of the command line: exit code 2."""
    return DiagnosticError(Diagnostic("error", code, message, help=help), EXIT_USAGE)


def unknown(what: str, name: str, valid: Iterable[str]) -> DiagnosticError:
    """The usage error for a name that is none of `valid`: they are listed, and the likely one is offered."""
    valid = list(valid)
    guess = suggest(name, valid)
    plural = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return DiagnosticError(
        Diagnostic(
            "error",
            "HET404",
            f"there is no {what} `{name}`",
            notes=(f"valid {plural}: {', '.join(valid)}",),
            help=f"did you mean `{guess}`?" if guess else None,
        ),
        EXIT_USAGE,
    )


def say(text: str, ctx: click.Context | None = None) -> None:
    """A line about what is being done, on stderr; nothing with -q."""
    state = (ctx or click.get_current_context()).ensure_object(State)
    if not state.quiet:
        remark("\n".join(map(visible, text.split("\n"))) + "\n")


def shown_name(file: str) -> str:
    """How a source that was asked for is called in messages."""
    return STDIN if file == "-" else file


def remark(text: str) -> None:
    """Text about the work on stderr. That nobody can read it is no reason to leave the work."""
    with contextlib.suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()


def state_of(ctx: click.Context) -> State:
    """The run's verbosity."""
    state = ctx.ensure_object(State)
    assert isinstance(state, State)
    return state


file_argument = click.argument("file", metavar="FILE.mp|-")
verify_with_mlir_option = click.option(
    "--verify-with-mlir", is_flag=True, help="Also lower it to upstream MLIR's dialects, for upstream's verifier."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
