"""What the generated GPU kernels of a work directory become on a GPU: registers, spills, shared memory.

Triton compiles them for a named target without the device; results are kept in its cache. These figures are the
compiler's own, not estimates.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from hetc.compiler.builds import Build, BuildUnavailable
from hetc.compiler.table import si
from hetc.compiler.work_directory import WorkDirectory
from hetc.diagnostics import EXIT_USAGE, Diagnostic, DiagnosticError
from hetc.platforms import all_platforms, load_platform
from hetc.platforms.gpu import Gpu
from hetc.runtime.triton_compile import CompilerUnavailable, KernelBuild, KernelSpec, compile_kernels, violations

TITLE = "GPU functions as Triton compiles them (its own figures, without a device):"
MODULE, DESCRIPTION = "gpu/kernels.py", "gpu/kernels.json"
# NVIDIA GPUs convert fp8 in hardware from this target on; AMD's fp8 before gfx950 is another format.
NATIVE_FP8_FROM_SM = 89


def functions(directory: WorkDirectory) -> dict[str, list[str]]:
    """The generated functions of each kernel in launch order; a kernel of another device has none."""
    found: dict[str, list[tuple[int, str]]] = {}
    for name, entry in _described(directory).items():
        found.setdefault(entry["task"], []).append((entry["order"], name))
    return {task: [name for _, name in sorted(launches)] for task, launches in found.items()}


def texts(directory: WorkDirectory, names: Sequence[str]) -> dict[str, tuple[int, str]]:
    """The functions of these names: `file:line` -> the first line's number, the text."""
    if not names:
        return {}
    lines = directory.text(MODULE).splitlines()
    places = functions_of(lines)
    found = [places[name] for name in names if name in places]
    return {f"{MODULE}:{first}": (first, "\n".join(lines[first - 1 : last])) for first, last in found}


def functions_of(lines: list[str]) -> dict[str, tuple[int, int]]:
    """First and last line of each function of a module, by name; a decorator belongs to it."""
    try:
        body = ast.parse("\n".join(lines)).body
    except SyntaxError:  # edited by hand: its text cannot be told apart
        return {}
    functions = [node for node in body if isinstance(node, ast.FunctionDef)]
    return {
        node.name: (
            min([node.lineno, *(item.lineno for item in node.decorator_list)]),
            node.end_lineno or node.lineno,
        )
        for node in functions
    }


def targets() -> tuple[str, ...]:
    """Every GPU target of the platforms that are known."""
    return tuple(known_targets())


def known_targets() -> dict[str, int]:
    """Every GPU target of the platforms that are known, and the shared memory of one program there."""
    devices = [device for _, platform in all_platforms() for device in platform.devices.values()]
    return {gpu.triton_target: int(gpu.shared_memory_block_bytes) for gpu in devices if isinstance(gpu, Gpu)}


def default_target(directory: WorkDirectory) -> str | None:
    """The target of the GPU that the directory was compiled for; None where its platform has none."""
    platform = load_platform(directory.manifest["options"]["platform"])
    gpus = [device for device in platform.devices.values() if isinstance(device, Gpu)]
    return gpus[0].triton_target if gpus else None


def build(directory: WorkDirectory, names: Sequence[str], target: str) -> list[Build]:
    """The functions of these names, compiled for `target`. Raises BuildUnavailable where Triton cannot be started."""
    try:
        return [shown(each) for each in compiled(directory, names, target, known_targets()[target])]
    except CompilerUnavailable as error:
        raise BuildUnavailable(f"registers and shared memory are not known: {error}") from error


def compiled(directory: WorkDirectory, names: Sequence[str], target: str, limit_bytes: int) -> list[KernelBuild]:
    """What Triton made of the functions for `target`, where a program may have so much shared memory. Raises
    CompilerUnavailable."""
    described = _described(directory)
    specs = [specification(name, described[name], target) for name in names]
    return compile_kernels(directory.text(MODULE), specs, [target], shared_limit_bytes={target: limit_bytes})


def shown(build: KernelBuild) -> Build:
    """A build without what was compiled."""
    limit = build.shared_limit_bytes
    figures = {
        "registers": str(build.registers) if build.ok else "-",
        "spilled": f"{build.spill_bytes} B" if build.ok else "-",
        "stack": f"{build.stack_bytes} B" if build.ok else "-",
        "shared": si(build.shared_bytes, "B") if build.ok else "-",
        "of": si(limit, "B") if limit is not None else "-",
    }
    names = ("kernel", "target", "ok", "error", "registers", "stack_bytes", "spill_bytes", "shared_bytes")
    data = {**{name: getattr(build, name) for name in names}, "shared_limit_bytes": limit}
    return Build(build.kernel, build.target, figures, data, tuple(violations(build)))


def specification(name: str, entry: Mapping[str, Any], target: str) -> KernelSpec:
    """How one function is specialised for `target`, from its entry of kernels.json."""
    number = re.fullmatch(r"sm_(\d+)a?", target)
    values = {"NATIVE_FP8": number is not None and int(number[1]) >= NATIVE_FP8_FROM_SM}
    return KernelSpec(
        name,
        {argument["name"]: argument["type"] for argument in entry["arguments"]},
        {constexpr: values[constexpr] for constexpr in entry["constexprs"]},
        num_warps=entry["num_warps"],
        num_stages=entry["num_stages"],
    )


def _described(directory: WorkDirectory) -> dict[str, dict[str, Any]]:
    if DESCRIPTION not in directory.files:
        return {}
    try:
        kernels = json.loads(directory.text(DESCRIPTION))["kernels"]
    except (ValueError, KeyError, TypeError) as error:
        message = f"`{directory.root / DESCRIPTION}` is damaged: {error}"
        raise DiagnosticError(Diagnostic("error", "HET409", message), EXIT_USAGE) from None
    assert isinstance(kernels, dict)
    return kernels
