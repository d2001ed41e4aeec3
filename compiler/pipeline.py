"""The order in which a program moves through the compiler: one tuple of named stages, each with its passes and the
ops that may stand in the module after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, UnknownLoc
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import DiagnosticException, PassFailedException, VerifyException

from hetc.compiler.watching import AfterPass, PassCrashed
from hetc.devices import DeviceKind, manifests
from hetc.diagnostics import DiagnosticError
from hetc.dialects.registry import new_context
from hetc.dialects.task import KernelOp
from hetc.passes.registry import load
from hetc.platforms import DEFAULT_PLATFORM

_FRAME = {
    "builtin.module", "mp.pipeline", "mp.dim", "mp.declare", "mp.step", "mp.get", "mp.commit", "mp.output",
    "mp.for", "mp.next",
}  # fmt: skip
_REGION = {
    "mp.read", "mp.read_stored", "mp.reduce", "mp.dim_size", "mp.round", "mp.mod", "mp.yield", "mp.put",
}  # fmt: skip
_STATEMENTS = {"mp.compute", "mp.topk", "mp.select", "mp.constant", "mp.append", "mp.scatter", "mp.clear"}
_COMPOSITE = {"mp.softmax", "mp.rope", "mp.quantize", "mp.update"}
_IMPLICIT = {"mp.guard", "mp.present", "mp.and", "mp.or"}
_TASK = {"task.kernel", "task.return", "task.transfer"}


@dataclass(frozen=True)
class Stage:
    """A named point in the pipeline. `legal` are op names, or dialect prefixes ending in a dot, allowed after it.
    `adds`: its passes leave the module's ops as they are and put new ones beside them. `passing`: a later stage
    verifies the same statements again, so only legality and locations are looked at here (verifying is a fifth of the
    time of a long program; the passes' own tests verify after each). `kind`: a stage that lowers kernels on one kind of
    device, and has nothing to do where there are none."""

    name: str
    passes: tuple[str, ...]
    legal: frozenset[str]
    adds: bool = False
    passing: bool = False
    kind: str = ""


def _legal(*groups: set[str]) -> frozenset[str]:
    return frozenset({"arith.", "math."}.union(*groups))


def _lowered(kinds: Sequence[DeviceKind]) -> set[str]:
    """What the lowerings of these kinds add to a module."""
    brought = {f"{kind.kernel.split('.')[0]}." for kind in kinds}
    return {"scf.", *brought, *(f"{dialect}." for kind in kinds for dialect in kind.dialects)}


def _device_stages() -> Iterator[Stage]:
    """A stage for each installed device kind."""
    for number, kind in enumerate(manifests(), 1):
        added = _lowered(manifests()[:number])
        legal = _legal(_FRAME, _REGION, _STATEMENTS, _TASK, added)
        yield Stage(kind.stage, tuple(kind.passes), legal, adds=True, kind=kind.kind)


PIPELINE: tuple[Stage, ...] = (
    Stage("mp", (), _legal(_FRAME, _REGION, _STATEMENTS, _COMPOSITE, _IMPLICIT)),
    # Presence comes first: every later pass may then move, clone and expand reads without changing what is absent.
    Stage("explicit", ("explicit-presence",), _legal(_FRAME, _REGION, _STATEMENTS, _COMPOSITE), passing=True),
    Stage(
        "expanded",
        (
            "expand-rope",
            "expand-quantize",
            "expand-softmax",
            "scatter-update",
            "expand-update",
            "remove-unused",
            # Updates are values of their memory's type until here; from here on every byte has an address.
            "expand-codes",
            "index-width",
        ),
        _legal(_FRAME, _REGION, _STATEMENTS),
        passing=True,
    ),
    # Facts are taken on the expanded form, so that the work of composite ops counts as what it becomes.
    Stage("assigned", ("assign-devices", "fuse-producers"), _legal(_FRAME, _REGION, _STATEMENTS), passing=True),
    Stage(
        "placed",
        ("cut-kernels", "insert-transfers", "schedule-kernels"),
        _legal(_FRAME, _REGION, _STATEMENTS, _TASK),
    ),
    # The device lowerings add their kernels beside the task kernels, which the host lowering still reads.
    *_device_stages(),
    Stage(
        "host",
        ("lower-to-host", *(flag for kind in manifests() for flag in kind.host_passes), "plan-workspace"),
        _legal(_FRAME, _REGION, _STATEMENTS, _TASK, _lowered(manifests()), {"host."}),
        adds=True,
    ),
)

STAGE_NAMES = tuple(stage.name for stage in PIPELINE)


def flags_before(name: str) -> tuple[str, ...]:
    """The passes of all stages before the one of that name, in order."""
    return tuple(flag for stage in PIPELINE[: STAGE_NAMES.index(name)] for flag in stage.passes)


class StageError(Exception):
    """A pass left what may not stand after its stage: a defect of the compiler, not of the program."""


def run_stages(
    module: ModuleOp,
    until: str,
    options: Mapping[str, Mapping[str, object]],
    observe: Callable[[str, ModuleOp], None] = lambda name, module: None,
    platform: str = DEFAULT_PLATFORM,
    after_pass: AfterPass = lambda passed, module, seconds: None,
    printed: bool = True,
    stop_before: str = "",
) -> None:
    """Run `module` through the stages up to and including `until`, in place.

    `options` gives a pass's dataclass fields by its flag; those that have a field `platform` are told it.
    `observe(stage, module)` is called after each stage, `after_pass` after each pass; the pass `stop_before` and what
    follows it is not run. Where nothing is `printed`, what is made on the way for a printer alone, the inside of
    generated kernels, is not verified. Raises StageError where a stage leaves an illegal op, an unverifiable module or
    an op without its location, and PassCrashed where a pass fails otherwise than by a diagnostic.
    """
    context = new_context()
    for stage in PIPELINE:
        known = set(module.body.block.ops) if stage.adds else set()
        for flag in stage.passes if not stage.kind or _has_kernels(module, stage.kind) else ():
            made = _made(flag, {"platform": platform}, options.get(flag, {}))
            if flag == stop_before:
                return
            start = time.perf_counter()
            run_pass(made, context, module)
            after_pass(made, module, time.perf_counter() - start)
        # What is handed out is verified, whatever follows.
        passing = (stage.passing or (stage.adds and not printed)) and stage.name != until
        final = replace(stage, passing=passing)
        check_stage(final, [op for op in module.body.block.ops if op not in known])
        observe(stage.name, module)
        if stage.name == until:
            return
    raise KeyError(until)


def _made(flag: str, common: Mapping[str, object], own: Mapping[str, object]) -> ModulePass:
    """A pass, with those of the common options that it has a field for."""
    found = load(flag)
    names = {field.name for field in fields(found)}  # type: ignore[arg-type]
    return found(**{**{name: value for name, value in common.items() if name in names}, **own})


def _has_kernels(module: ModuleOp, kind: str) -> bool:
    return any(isinstance(op, KernelOp) and op.device.data == kind for op in module.walk())


def run_pass(pass_: ModulePass, context: Context, module: ModuleOp) -> None:
    """Apply one pass. Raises PassCrashed for what is no diagnostic and no limit of the machine."""
    try:
        pass_.apply(context, module)
    except (DiagnosticException, PassFailedException, DiagnosticError, OSError, MemoryError, RecursionError):
        raise
    except Exception as error:
        raise PassCrashed(pass_, error) from error


def check_stage(stage: Stage, roots: Iterable[Operation]) -> None:
    """Verify ops of the module's top level, and that only legal ops are in them and none lost its location."""
    for root in roots:
        try:
            if not stage.passing:
                root.verify()
        except VerifyException as error:
            raise StageError(f"after stage {stage.name}: {error}") from error
        for op in root.walk():
            if op.name not in stage.legal and f"{op.name.split('.')[0]}." not in stage.legal:
                raise StageError(f"after stage {stage.name}: {op.name} may not stand here")
            if isinstance(op.location, UnknownLoc):
                raise StageError(f"after stage {stage.name}: no location on {op.name}")
