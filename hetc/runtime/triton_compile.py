"""Emitted Triton kernels compiled for real, for GPUs that need not be here.

Triton compiles for a named target without a driver. It cannot do so in a process that interprets kernels, its
import takes a second, and a bad kernel may keep LLVM or ptxas busy for minutes or crash them: so one subprocess
takes a whole batch and forks a child for each kernel and target, with a time limit. Results, errors included,
are kept under HETC_CACHE_DIR (default ~/.cache/hetc) by the hash of all that they depend on.

    builds = compile_kernels(text, [KernelSpec("score", {"q": "*bf16", "n": "i32"}, {"BLOCK": 64})],
                             ["sm_90", "gfx942"], shared_limit_bytes={"sm_90": 232448, "gfx942": 65536})
    problems = [problem for build in builds for problem in violations(build)]
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hetc.cache import adding, cache_folder, is_kept
from hetc.manifest import seal

_WORKER = Path(__file__).with_name("triton_compile_worker.py")
_log = logging.getLogger(__name__)
_TARGET = re.compile(r"sm_\d+|gfx[0-9a-f]+")

Constant = int | float | bool | str | None


class CompilerUnavailable(RuntimeError):
    """Triton's compiler cannot be started; the message says what is missing."""


@dataclass(frozen=True)
class KernelSpec:
    """One kernel of a module, specialised.

    name: the `@triton.jit` function. signature: Triton type of each run-time argument ("*bf16", "i32", ...).
    constexprs: value of each tl.constexpr argument; one may be the name of a type, as "tl.bfloat16".
    divisible: arguments that the caller keeps a multiple of 16 (bytes, for a pointer), which is what lets loads be
        vectorised; None means every pointer, as with buffers from an allocator.
    """

    name: str
    signature: Mapping[str, str]
    constexprs: Mapping[str, Constant] = field(default_factory=dict)
    num_warps: int = 4
    num_stages: int = 2
    divisible: tuple[str, ...] | None = None

    def divisible_arguments(self) -> list[str]:
        if self.divisible is not None:
            return list(self.divisible)
        return [name for name, kind in self.signature.items() if kind.startswith("*")]


@dataclass(frozen=True)
class KernelBuild:
    """What one kernel became on one target.

    failure: None, or what went wrong: "error" (the compiler refused it), "crash", "timeout"; `error` is the text.
    registers: 32-bit registers a thread (AMD: vector registers). stack_bytes: local or scratch bytes a thread.
    spill_bytes: bytes a thread stored and reloaded for want of registers. shared_bytes: a program's shared memory;
    shared_limit_bytes: what the target allows one program, where the caller said it.
    artifacts: everything that Triton made, by extension (ttir, ttgir, llir, ptx, cubin; amdgcn, hsaco).
    """

    kernel: str
    target: str
    ok: bool
    error: str = ""
    failure: Literal["error", "crash", "timeout"] | None = None
    registers: int = 0
    stack_bytes: int = 0
    spill_bytes: int = 0
    shared_bytes: int = 0
    shared_limit_bytes: int | None = None
    from_cache: bool = False
    artifacts: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def violations(build: KernelBuild) -> list[str]:
    """Why a build may not be shipped, one sentence each; empty when it may.

    Raises ValueError for a good build whose target's shared memory limit was not given: Triton compiles what
    cannot be launched, so the check must not be left out silently.
    """
    where = f"{build.kernel} on {build.target}"
    if not build.ok:
        return [f"{where} does not compile: {build.error}"]
    if build.shared_limit_bytes is None:
        raise ValueError(f"the shared memory limit of {build.target} was not given to compile_kernels")
    found = []
    if build.spill_bytes:
        found.append(f"{where} spills {build.spill_bytes} bytes of registers a thread")
    if build.stack_bytes:
        found.append(f"{where} uses {build.stack_bytes} bytes of stack a thread")
    if build.shared_bytes > build.shared_limit_bytes:
        found.append(f"{where} needs {build.shared_bytes} bytes of shared memory of {build.shared_limit_bytes}")
    return found


def compile_kernels(
    module_text: str,
    specs: Sequence[KernelSpec],
    targets: Sequence[str],
    cache: bool = True,
    shared_limit_bytes: Mapping[str, int] | None = None,
    timeout_s: float = 120.0,
    parallel: int | None = None,
) -> list[KernelBuild]:
    """Each spec for each target, specs outermost.

    module_text: a Python module that defines the kernels. targets: "sm_80", "sm_90", "gfx90a", "gfx942", ...
    timeout_s is for one kernel and target; parallel is how many are compiled at a time (default: the cores,
    at most 4). Kernels that fail are reported in their KernelBuild. Raises ValueError for a malformed target
    and CompilerUnavailable when Triton is absent or cannot be started.
    """
    for target in targets:
        if not _TARGET.fullmatch(target):
            raise ValueError(f"`{target}` is not a GPU target; expected one such as sm_90 or gfx942")
    version = _triton_version()
    jobs = [(spec, target) for spec in specs for target in targets]
    keys = [_key(module_text, spec, target, version) for spec, target in jobs]
    entries: dict[str, KernelBuild] = {}
    root = cache_folder("triton")
    if cache:
        held = {key: _read(root / key, from_cache=True) for key in keys if is_kept(root / key)}
        entries = {key: build for key, build in held.items() if build is not None}
    missing = {key: job for key, job in zip(keys, jobs, strict=True) if key not in entries}
    if missing:
        workers = parallel or min(4, os.cpu_count() or 1)
        entries |= _compile(module_text, missing, timeout_s, workers, root if cache else None)
    limits = shared_limit_bytes or {}
    return [
        dataclasses.replace(entries[key], shared_limit_bytes=limits.get(target))
        for key, (_, target) in zip(keys, jobs, strict=True)
    ]


def _triton_version() -> str:
    """The version of the Triton that the subprocess will import, read without importing it."""
    found = importlib.util.find_spec("triton")
    if found is None or found.origin is None:
        raise CompilerUnavailable("Triton is not installed; `pip install hetc[run]` brings it")
    match = re.search(r"__version__\s*=\s*['\"]([^'\"]+)", Path(found.origin).read_text())
    return match.group(1) if match else found.origin


def _described(spec: KernelSpec, target: str) -> dict[str, Any]:
    return {
        "name": spec.name,
        "signature": dict(spec.signature),
        "constexprs": dict(spec.constexprs),
        "num_warps": spec.num_warps,
        "num_stages": spec.num_stages,
        "divisible": spec.divisible_arguments(),
        "target": target,
    }


def _key(module_text: str, spec: KernelSpec, target: str, version: str) -> str:
    # The worker decides the form of a result, and how it is measured.
    parts = [_WORKER.read_text(), version, module_text, _described(spec, target)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _read(entry: Path, from_cache: bool = False) -> KernelBuild | None:
    """The build stored in a folder; None where there is none (or not one of this form)."""
    try:
        stored = json.loads((entry / "build.json").read_text())
        artifacts = {name: (entry / f"kernel.{name}").read_bytes() for name in stored.pop("artifacts")}
        return KernelBuild(**stored, artifacts=artifacts, from_cache=from_cache)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _keep(result: Path, entry: Path) -> None:
    """Copy a result into the cache."""
    try:
        with adding(entry) as aside:
            shutil.copytree(result, aside, dirs_exist_ok=True)
            seal(aside, {})
    except OSError as error:  # the result itself is at hand
        _log.info("%s is not kept: %s", entry, error)


def _compile(
    module_text: str,
    jobs: Mapping[str, tuple[KernelSpec, str]],
    timeout_s: float,
    parallel: int,
    cache: Path | None,
) -> dict[str, KernelBuild]:
    with tempfile.TemporaryDirectory(prefix="hetc-triton-") as name:
        folder = Path(name)
        (folder / "emitted_kernels.py").write_text(module_text)
        described = {key: _described(spec, target) for key, (spec, target) in jobs.items()}
        request = {"jobs": described, "timeout_s": timeout_s, "parallel": parallel}
        (folder / "request.json").write_text(json.dumps(request))
        message = _run_worker(folder, timeout_s * len(jobs) + 120)
        builds = {}
        for key, (spec, target) in jobs.items():
            build = _read(folder / "results" / key)
            if build is None:
                raise CompilerUnavailable(f"Triton's compiler process ended before {spec.name} for {target}: {message}")
            builds[key] = build
            if cache is not None and build.failure in (None, "error"):
                _keep(folder / "results" / key, cache / key)
        return builds


def _run_worker(folder: Path, timeout_s: float) -> str:
    """Run the worker on a folder; returns the end of what it printed, for the case that results are missing."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment["TRITON_CACHE_DIR"] = str(folder / "triton-cache")
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-W", "ignore", str(_WORKER), str(folder)],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {timeout_s:.0f} s"
    except OSError as error:
        raise CompilerUnavailable(f"Python cannot be started for Triton's compiler: {error}") from error
    said = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
    return f"exit status {done.returncode}; {said[-1]}"
