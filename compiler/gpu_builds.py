"""What the generated GPU kernels of a work directory become on a GPU: registers, spills, shared memory.

Triton compiles them for a named target without the device; results are kept in its cache. These figures are the
compiler's own, not estimates.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from hetc.compiler.work_directory import WorkDirectory
from hetc.diagnostics import EXIT_USAGE, Diagnostic, DiagnosticError
from hetc.platforms import list_platforms, load_platform
from hetc.platforms.gpu import Gpu
from hetc.runtime.triton_compile import KernelBuild, KernelSpec, compile_kernels

MODULE, DESCRIPTION = "gpu/kernels.py", "gpu/kernels.json"
# NVIDIA GPUs convert fp8 in hardware from this target on; AMD's fp8 before gfx950 is another format.
NATIVE_FP8_FROM_SM = 89


def launches_of(directory: WorkDirectory) -> dict[str, list[str]]:
    """The generated functions of each kernel in launch order; a kernel of another device has none."""
    found: dict[str, list[tuple[int, str]]] = {}
    for name, entry in _described(directory).items():
        found.setdefault(entry["task"], []).append((entry["order"], name))
    return {task: [name for _, name in sorted(launches)] for task, launches in found.items()}


def known_targets() -> dict[str, int]:
    """Every GPU target of the platforms that come with the package, and the shared memory of one program there."""
    devices = [device for name in list_platforms() for device in load_platform(name).devices.values()]
    return {gpu.triton_target: int(gpu.shared_memory_block_bytes) for gpu in devices if isinstance(gpu, Gpu)}


def default_target(directory: WorkDirectory) -> str | None:
    """The target of the GPU that the directory was compiled for; None where its platform has none."""
    platform = load_platform(directory.manifest["options"]["platform"])
    gpus = [device for device in platform.devices.values() if isinstance(device, Gpu)]
    return gpus[0].triton_target if gpus else None


def build(directory: WorkDirectory, names: list[str], target: str, shared_limit_bytes: int) -> list[KernelBuild]:
    """Compile the functions `names` for `target`. Raises CompilerUnavailable where Triton cannot be started."""
    described = _described(directory)
    specs = [specification(name, described[name], target) for name in names]
    limits = {target: shared_limit_bytes}
    return compile_kernels(directory.text(MODULE), specs, [target], shared_limit_bytes=limits)


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
