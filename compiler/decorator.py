"""`@hetero_pipeline`: a Python function as a pipeline that is compiled, explained and called."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from hetc.compiler.embedding.source import OPTIONS, function_source
from hetc.compiler.presentation import Explanation, Inspection
from hetc.diagnostics import EXIT_USAGE, Diagnostic, DiagnosticError, suggest
from hetc.runtime.errors import StateError
from hetc.runtime.guarded import Guarded

if TYPE_CHECKING:  # the compiler is imported when a pipeline is first used, not where one is written
    from xdsl.dialects.builtin import ModuleOp

    from hetc.compiler.driver import Options
    from hetc.compiler.frontend.syntax import ast
    from hetc.runtime.program import HostProgram
    from hetc.runtime.state import State


class HeteroPipeline(Guarded):
    """A pipeline written as a Python function. Its text is taken where it is decorated, and read when it is used.

    Methods raise DiagnosticError, whose text shows what is wrong at which line of the Python file.
    """

    def __init__(self, function: Callable[..., Any], **options: Any) -> None:
        self._text = function_source(function)
        self._function = function
        self._given = options
        functools.update_wrapper(self, function)
        self._guard()

    def _instead(self, name: str) -> str:
        if name in (*OPTIONS, "options"):
            option = name if name in OPTIONS else "dims"
            return f"with_options({option}=...) gives a pipeline that has others"
        return f"a call takes tensors by name, as in {self.name}(state, {name}=...)"

    # What it is

    @property
    def name(self) -> str:
        return self._function.__name__

    @property
    def source(self) -> str:
        """The text that is compiled: the function from its first decorator on."""
        return self._text.text.lstrip("\n")

    @property
    def options(self) -> Options:
        """Everything besides the text that decides what is compiled; without a platform that of this machine."""
        from hetc.compiler.driver import Options
        from hetc.platforms.here import AUTO, platform_here

        named = self._given.get("platform", AUTO)
        return Options(**{**self._given, "platform": platform_here() if named == AUTO else named})

    def with_options(self, **changes: Any) -> HeteroPipeline:
        """The same pipeline with other options: `dims={"K": 64}`, `platform=`, `pins=`, `policy=`, `objective=`,
        `estimate=`, `layouts=`.

        Mappings are added to those given before. The pipeline itself stays as it is."""
        for name in changes:
            if name not in OPTIONS:
                guess = suggest(name, OPTIONS)
                help = f"did you mean `{guess}`?" if guess else f"the options are {', '.join(OPTIONS)}"
                raise DiagnosticError(Diagnostic("error", "HET410", f"no option `{name}`", help=help), EXIT_USAGE)
        merged = dict(self._given)
        for name, value in changes.items():
            merged[name] = {**merged.get(name, {}), **value} if isinstance(value, Mapping) else value
        return HeteroPipeline(self._function, **merged)

    # The compiler

    @functools.cached_property
    def tree(self) -> ast.Pipeline:
        """The syntax tree, the same as a `.mp` file's."""
        from hetc.compiler.embedding.read import parse_source

        return parse_source(self._text)

    def check(self) -> tuple[Diagnostic, ...]:
        """Check names, shapes, dtypes and memory; gives the warnings. Raises DiagnosticError with every error."""
        return self._checked[1]

    def module(self) -> ModuleOp:
        """A fresh module of the pipeline, as the front end makes it."""
        return self._checked[0].clone()

    def explain(self) -> Explanation:
        """Where each stage goes and why: the table of `hetc explain`, in a session and in a notebook."""
        return Explanation(self._explained)

    def compile(self, directory: str | Path | None = None, *, force: bool = False) -> Path:
        """Kernels, host program and report in a work directory (default: one in the cache); gives its path.

        A directory with files that were edited or added since is overwritten with `force` only."""
        if directory is None:
            return self._cached
        from hetc.compiler.driver import compile_source_file, write_directory

        self.check()
        write_directory(compile_source_file(self._text, self.options), Path(directory), force)
        return Path(directory)

    def inspect(self, what: str | None = None) -> Inspection:
        """Generated kernels with their text: those of a stage (`"relevancy"`), one kernel by its name, or all."""
        from hetc.compiler.inspect import kernels_of
        from hetc.compiler.work_directory import WorkDirectory

        directory = WorkDirectory.open(self._cached)
        kernels = kernels_of(directory)
        chosen = [kernel for kernel in kernels if what is None or what == kernel.name or what in kernel.stages]
        if not chosen:
            names = list(dict.fromkeys(name for kernel in kernels for name in (*kernel.stages, kernel.name)))
            guess = suggest(str(what), names)
            help = f"did you mean `{guess}`?" if guess else f"there are {', '.join(names)}"
            message = f"`{self.name}` has no stage or kernel `{what}`"
            raise DiagnosticError(Diagnostic("error", "HET410", message, help=help), EXIT_USAGE)
        return Inspection(tuple(chosen), directory.source_lines())

    # Running

    @functools.cached_property
    def program(self) -> HostProgram:
        """The compiled program with its devices opened: real ones where this machine has them; what a named platform
        has and the machine has not is emulated."""
        from hetc.runtime.program import load_program

        return load_program(self._cached)

    def new_state(self, pages: Mapping[str, int] | None = None, /, **capacities: int) -> State:
        """Memories of these capacities, empty: `new_state(B=4, T=65536)`. pages: for memories in pages, how many there
        are along a dim. Raises InputError, CapacityError."""
        return self.program.new_state(pages, **capacities)

    def freeze(self, /, *names: str, **weights: Any) -> None:
        """Say that weights stay as they are: those named, those given (`freeze(W=tensor)`), or all without arguments.

        They are copied, and moved to each device once; calls may leave them out. See HostProgram.freeze."""
        self.program.freeze(*names, **weights)

    def unfreeze(self, /, *names: str) -> None:
        """Read these weights (all without arguments) at each call again. Raises InputError."""
        self.program.unfreeze(*names)

    def __call__(self, state: State, lengths: Mapping[str, Any] | None = None, /, **tensors: Any) -> Any:
        """One step on `state`: inputs and weights by name, torch tensors or numpy arrays, read as they are now.

        Gives what the function returns: one tensor, or a tuple in the order of `return`. Run-time extents are those
        of the tensors; `lengths` gives those that no shape says. Nothing is compiled again for other extents. Weights
        that are frozen may be left out.
        """
        if len(self.tree.steps) > 1:
            names = ", ".join(step.name for step in self.tree.steps)
            raise StateError(f"pipeline '{self.name}' has the steps {names}: call `.step(name)(state, ...)`")
        return self.step(self.tree.steps[0].name)(state, lengths, **tensors)

    def step(self, name: str) -> Callable[..., Any]:
        """One step of several: `step("decode")(state, x=...)` is called as a pipeline of one step is."""
        called = self.program.step(name)
        (outputs,) = (step.outputs for step in self.tree.steps if step.name == name)

        def call(state: State, lengths: Mapping[str, Any] | None = None, /, **tensors: Any) -> Any:
            results = called(state, lengths, **tensors)
            given = tuple(results[output.name] for output in outputs)
            return given if len(given) > 1 else given[0] if given else None

        return call

    def __repr__(self) -> str:
        return f"<pipeline {self.name} at {self._text.name}:{self.tree.name_span.line}>"

    @functools.cached_property
    def _checked(self) -> tuple[ModuleOp, tuple[Diagnostic, ...]]:
        from hetc.compiler.frontend import compile_pipeline

        try:
            module, diagnostics = compile_pipeline(self.tree, self.options.dims, self.options.layouts)
        except DiagnosticError as error:
            noted = (_with_outer_name(item, self._function) for item in error.diagnostics)
            raise DiagnosticError(noted, error.exit_code) from None
        return module, diagnostics.sorted()

    @functools.cached_property
    def _explained(self) -> dict[str, Any]:
        from hetc.compiler.driver import explain_source_file

        self.check()
        return explain_source_file(self._text, self.options)[0]

    @functools.cached_property
    def _cached(self) -> Path:
        from hetc.compiler.compile_cache import compiled_directory

        self.check()
        return compiled_directory(self._text, self.options)


def _with_outer_name(diagnostic: Diagnostic, function: Callable[..., Any]) -> Diagnostic:
    """A note where an error is about a name that is a number around the function: it is not visible in it."""
    name = diagnostic.span.text if diagnostic.span is not None else ""
    inner = inspect.unwrap(function)
    outer = inspect.getclosurevars(inner)
    value = {**outer.globals, **outer.nonlocals}.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return diagnostic
    note = f"`{name}` is {value} where the function stands, but nothing outside of a pipeline is visible in it"
    help = f"make it a dim, `{name}={value}` behind `*`, or a constant in a stage, `{name} = {value}`"
    return dataclasses.replace(diagnostic, notes=(*diagnostic.notes, note), help=help)


@overload
def hetero_pipeline(function: Callable[..., Any], /) -> HeteroPipeline: ...
@overload
def hetero_pipeline(
    *,
    platform: str = ...,
    grows: Mapping[str, int | str] | None = ...,
    policy: str = ...,
    objective: str = ...,
    pins: Mapping[str, str] | None = ...,
    dims: Mapping[str, int] | None = ...,
    estimate: Mapping[str, int] | None = ...,
    layouts: Mapping[str, str] | None = ...,
) -> Callable[[Callable[..., Any]], HeteroPipeline]: ...
def hetero_pipeline(
    function: Callable[..., Any] | None = None,
    /,
    *,
    platform: str | None = None,
    grows: Mapping[str, int | str] | None = None,
    policy: str | None = None,
    objective: str | None = None,
    pins: Mapping[str, str] | None = None,
    dims: Mapping[str, int] | None = None,
    estimate: Mapping[str, int] | None = None,
    layouts: Mapping[str, str] | None = None,
) -> Any:
    """Make a pipeline of a function: its text is read as equations, it is never executed.

    platform: the devices (`hetc platform list`), by default those of this machine, else its processor. grows: rows that
    a call appends along each growing dim; it is part of the text, so it is written out here. policy: `auto` or
    `intensity`; objective: `latency`, `energy` or `edp`. pins: device kinds of stages. dims: overrides of constants and
    bounds. estimate: the extents that estimates are made at. layouts: how memories lie, `{"keys": "paged(64)"}`. Raises
    DiagnosticError where the function's text cannot be read.
    """
    given = {
        "platform": platform, "policy": policy, "objective": objective, "pins": pins, "dims": dims,
        "estimate": estimate, "layouts": layouts,
    }  # fmt: skip
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if function is not None:
        return HeteroPipeline(function, **options)
    return functools.partial(HeteroPipeline, **options)
