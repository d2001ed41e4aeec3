"""From a source file to a work directory: the one way through the compiler."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from xdsl.dialects.builtin import ModuleOp

from hetc.compiler.embedding.read import parse_source
from hetc.compiler.frontend import compile_pipeline
from hetc.compiler.memory_report import device_memory_rows, misfits
from hetc.compiler.option_checks import check_pins, check_policy, check_reachable
from hetc.compiler.pipeline import run_stages
from hetc.compiler.report import (
    kernel_rows,
    memory_rows,
    pipeline_of,
    plain,
    stage_label,
    stage_rows,
    transfer_rows,
    unreachable_rows,
)
from hetc.compiler.watching import AfterPass, PassCrashed, write_reproducer
from hetc.compiler.work_directory import REPORT, SOURCE, place_of, refuse_to_replace, writing
from hetc.devices import manifests
from hetc.diagnostics import Diagnostic, DiagnosticError
from hetc.dialects.locations import span_of
from hetc.dialects.task import KernelOp
from hetc.manifest import replacing, seal
from hetc.passes.lower_host.refusal import HostLoweringRefused
from hetc.passes.partition.policies import OBJECTIVES, POLICIES
from hetc.passes.refusal import LoweringRefused
from hetc.passes.schedule.model import Refused
from hetc.platforms import DEFAULT_PLATFORM, Platform, load_platform
from hetc.source import SourceFile


@dataclass(frozen=True)
class Options:
    """Everything besides the source that decides what is compiled.

    dims override the program's constants and bounds; estimate gives the extents that estimates are made at (each
    run-time dim's bound otherwise); policy and objective decide the placement (see policies); pins map a stage to a
    device kind, layouts a memory to how it lies (`paged(64)`); passes map a pass's flag to fields of it
    (`{"scatter-update": {"least": 0}}`).
    """

    platform: str = DEFAULT_PLATFORM
    dims: Mapping[str, int] = field(default_factory=dict)
    estimate: Mapping[str, int] = field(default_factory=dict)
    pins: Mapping[str, str] = field(default_factory=dict)
    layouts: Mapping[str, str] = field(default_factory=dict)
    policy: str = POLICIES[0]
    objective: str = OBJECTIVES[0]
    passes: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {
            "platform": self.platform,
            "policy": self.policy,
            "objective": self.objective,
            "dims": dict(self.dims),
            "estimate": dict(self.estimate),
            "pins": dict(self.pins),
            "layouts": dict(self.layouts),
            "passes": {flag: dict(fields) for flag, fields in self.passes.items()},
        }


@dataclass
class Compilation:
    """A compiled pipeline: the module after the last stage, clones of it where others need them, and all text."""

    source: SourceFile
    options: Options
    module: ModuleOp
    snapshots: dict[str, ModuleOp]
    report: dict[str, Any]
    files: dict[str, str] = field(default_factory=dict)
    manifest: dict[str, Any] = field(default_factory=dict)

    @property
    def checked(self) -> ModuleOp:
        """The module as the front end left it."""
        return self.snapshots["mp"]

    @property
    def placed(self) -> ModuleOp:
        """The module after stage `placed`: kernels bound to devices, before they are lowered."""
        return self.snapshots["placed"]


def front_end(source: SourceFile, options: Options) -> ModuleOp:
    """Parse and check a source file (of Python: one function). Raises DiagnosticError with everything that is wrong."""
    return compile_pipeline(parse_source(source), options.dims, options.layouts)[0]


def compile_source_file(
    source: SourceFile,
    options: Options,
    until: str = "host",
    observe: Callable[[str, ModuleOp], None] = lambda name, module: None,
    after_pass: AfterPass = lambda passed, module, seconds: None,
) -> Compilation:
    """Compile up to stage `until`; at `host` the backends print too. Raises DiagnosticError, also where a device cannot
    hold what the program keeps there."""
    compilation = lower_source_file(source, options, until, observe, after_pass=after_pass)
    if until == "host":
        platform = load_platform(options.platform)
        check_reachable(compilation.report)
        wrong = misfits(compilation.module, platform, source)
        if wrong:
            raise DiagnosticError(wrong)
        compilation.files = _emit(compilation)
        compilation.manifest = _manifest(compilation, platform)
    return compilation


def explain_source_file(source: SourceFile, options: Options) -> tuple[dict[str, Any], DiagnosticError | None]:
    """The report on a pipeline, and why it cannot be compiled although it was placed, if so. Raises DiagnosticError
    where it was not."""
    try:
        compilation = lower_source_file(source, options, explaining=True)
    except DiagnosticError as error:
        return lower_source_file(source, options, until="placed", explaining=True).report, error
    wrong = misfits(compilation.module, load_platform(options.platform), source)
    return compilation.report, DiagnosticError(wrong) if wrong else None


def lower_source_file(
    source: SourceFile,
    options: Options,
    until: str = "host",
    observe: Callable[[str, ModuleOp], None] = lambda name, module: None,
    explaining: bool = False,
    after_pass: AfterPass = lambda passed, module, seconds: None,
) -> Compilation:
    """The module up to stage `until`, and the report; no text. explaining: the report also says over which extents the
    placement is the best one, and the module is not kept as it was in between. Raises DiagnosticError."""
    platform = load_platform(options.platform)
    module = front_end(source, options)
    check_policy(options.policy, options.objective)
    check_pins(module, options.pins, options.estimate, platform)
    compilation = Compilation(source, options, module, {}, {})

    def watch(name: str, current: ModuleOp) -> None:
        if name == "assigned":
            compilation.report.update(_report_head(compilation, current, platform))
        if name in ("mp", "placed") and not explaining:
            compilation.snapshots[name] = current.clone()
        if name == "placed":
            compilation.report["kernels"] = kernel_rows(current)
            report = compilation.report
            report["transfers"] = transfer_rows(current, platform, options.estimate)
            report["unreachable"] = unreachable_rows(report["kernels"], platform)
        if name == "host":
            compilation.report["device_memory"] = device_memory_rows(current, platform)
        observe(name, current)

    try:
        printed = not explaining
        run_stages(module, until, _pass_options(options, explaining), watch, options.platform, after_pass, printed)
    except PassCrashed as crash:
        write_reproducer(crash, _given_to(crash, source, options, explaining))
        raise
    except (Refused, LoweringRefused, HostLoweringRefused) as refused:
        raise DiagnosticError(refusal(refused, source)) from refused
    return compilation


def _given_to(crash: PassCrashed, source: SourceFile, options: Options, explaining: bool) -> ModuleOp:
    """The module that the pass was given, made once more: the pass may have changed its own before it crashed."""
    module = front_end(source, options)
    name = crash.failed.name
    run_stages(module, "host", _pass_options(options, explaining), platform=options.platform, stop_before=name)
    return module


def refusal(refused: Refused | LoweringRefused | HostLoweringRefused, source: SourceFile) -> Diagnostic:
    """What a scheduler or a lowering cannot do, as a diagnostic at the statement's line."""
    kernel = refused.op if isinstance(refused.op, KernelOp) else None
    where = f" on the {kernel.device.data}" if kernel is not None else ""
    place = span_of(refused.op, source) if refused.op is not None else None
    return Diagnostic("error", "HET303", f"cannot be compiled{where}: {refused.reason}", place)


def _pass_options(options: Options, ranges: bool) -> dict[str, dict[str, object]]:
    dims = tuple(f"{name}={value}" for name, value in options.estimate.items())
    pins = tuple(f"{stage}={kind}" for stage, kind in options.pins.items())
    made: dict[str, dict[str, object]] = {
        "assign-devices": {
            "policy": options.policy,
            "objective": options.objective,
            "dims": dims,
            "pins": pins,
            "ranges": ranges,
        },
        "schedule-kernels": {"dims": dims},
    }
    for flag, fields in options.passes.items():
        made[flag] = {**made.get(flag, {}), **fields}
    return made


def _report_head(compilation: Compilation, module: ModuleOp, platform: Platform) -> dict[str, Any]:
    options = compilation.options
    pipeline = pipeline_of(module)
    return {
        "pipeline": pipeline.sym_name.data,
        "platform": platform.name,
        "devices": {device.kind: device.title for device in platform.devices.values()},
        "policy": options.policy,
        "dims": {name: dim.largest for name, dim in pipeline.dims.items()},
        "estimate": {name: dim.largest for name, dim in pipeline.dims.items() if not dim.is_static}
        | dict(options.estimate),
        "placement": plain(pipeline.attributes["plans"]),
        "stages": stage_rows(module, platform, options.estimate),
        "memories": memory_rows(module, options.estimate),
    }


def _emit(compilation: Compilation) -> dict[str, str]:
    from importlib import import_module

    files: dict[str, str] = {}
    present = {op.name for op in compilation.module.body.block.ops}
    for name in [*(kind.printer for kind in manifests() if kind.kernel in present), "hetc.backends.host"]:
        backend = import_module(name)
        problems = backend.check(compilation.module)
        if problems:
            raise DiagnosticError(problems)
        files.update(backend.emit(compilation.module))
    return files


def _manifest(compilation: Compilation, platform: Platform) -> dict[str, Any]:
    report = compilation.report
    stages: dict[str, Any] = {}
    several = len({row["step"] for row in report["stages"]}) > 1
    for row in report["stages"]:
        own = [kernel for kernel in report["kernels"] if kernel["step"] == row["step"]]
        kernels = [kernel["name"] for kernel in own if row["stage"] in kernel["stages"]]
        name = stage_label(row["step"], row["stage"], several)
        stages[name] = {"device": row["device"], "kernels": kernels, "reason": row["reason"]}
    return {
        "hetc": version("hetc"),
        "pipeline": report["pipeline"],
        "source": Path(compilation.source.name).name,
        "platform": platform.name,
        "options": compilation.options.as_dict(),
        "dims": report["dims"],
        "stages": stages,
        "memories": {row["name"]: {"home": row["home"]} for row in report["memories"]},
    }


def write_directory(compilation: Compilation, out: Path, force: bool = False) -> None:
    """Write the work directory whole or not at all.

    Only a directory that this compiler wrote (or an empty one) is replaced, and without `force` only if nothing in it
    was edited, removed, added or damaged since. Raises DiagnosticError otherwise, and where `out` cannot be written:
    exit 2 where it cannot be one, exit 3 where the machine is at its limits.
    """
    refuse_to_replace(out, force)
    with writing(out), replacing(place_of(out)) as aside:
        seal(aside, fill_directory(compilation, aside))


def fill_directory(compilation: Compilation, folder: Path) -> dict[str, Any]:
    """Write the files of a work directory; gives what its manifest says beside their hashes. Raises OSError."""
    texts = dict(compilation.files)
    texts[REPORT] = json.dumps(compilation.report, indent=2, sort_keys=True) + "\n"
    texts[f"{SOURCE}/{compilation.manifest['source']}"] = compilation.source.text
    for path, text in texts.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return compilation.manifest
