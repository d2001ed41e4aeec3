"""The GPUs of this machine, found by light means: rows of `hetc doctor`, and what `auto` takes."""

from __future__ import annotations

from pathlib import Path

from hetc.platforms import list_devices
from hetc.platforms.gpu import Gpu
from hetc.platforms.load import load_device
from hetc.runtime.environment import Check, first_match, package_check
from hetc.runtime.versions import installed_version

check_triton = package_check("triton", "run", "GPU kernels: interpreting and compiling them")


def check_gpu(root: Path) -> Check:
    """The GPUs that drivers show."""
    how = "a GPU and its driver (NVIDIA driver, or ROCm's amdgpu and kfd)"
    needed = "running GPU kernels on hardware (without: Triton's interpreter)"
    names = gpu_names(root)
    version = first_match(root / "proc/driver/nvidia/version", r"Module.*?\s(\d+\.\d+(?:\.\d+)?)\s")
    if not names:
        return Check("gpu", False, None, "no NVIDIA or AMD GPU is visible", how, needed)
    return Check("gpu", True, version, ", ".join(names), how, needed)


def gpu_names(root: Path = Path("/")) -> list[str]:
    """The GPUs that drivers show: `NVIDIA H200`, `AMD gfx90a`; `NVIDIA GPU` where only that there is one is seen."""
    names = [_nvidia_name(path) for path in sorted(root.glob("proc/driver/nvidia/gpus/*/information"))]
    if not names:  # containers often show only the device files
        names = ["NVIDIA GPU"] * len(list(root.glob("dev/nvidia[0-9]*")))
    if (root / "dev/kfd").exists():
        nodes = sorted(root.glob("sys/class/kfd/kfd/topology/nodes/*/properties"))
        names += [name for name in map(_amd_name, nodes) if name]
    return names


def _nvidia_name(path: Path) -> str:
    return first_match(path, r"Model:\s*(.+)") or "NVIDIA GPU"


def _amd_name(path: Path) -> str | None:
    """The gfx name of a topology node, None for a node without SIMDs (a CPU)."""
    if int(first_match(path, r"simd_count (\d+)") or 0) == 0:
        return None
    # 90010 is 9.0.10; minor and stepping are written as one hexadecimal digit each: gfx90a.
    target = int(first_match(path, r"gfx_target_version (\d+)") or 0)
    return f"AMD gfx{target // 10000}{target // 100 % 100:x}{target % 100:x}" if target else "AMD GPU"


def detect(root: Path = Path("/")) -> str:
    """The device file of the first GPU that is seen, "" where none is, where none describes it, or where torch or
    Triton is missing or torch is a build without GPU support."""
    torch = installed_version("torch") or "+cpu"
    if torch.endswith("+cpu") or installed_version("triton") is None:
        return ""
    described = {name: load_device(name) for name in list_devices()}
    for seen in gpu_names(root)[:1]:
        for name, device in described.items():
            if isinstance(device, Gpu) and (device.title in seen or device.triton_arch in seen.split()[-1]):
                return name
    return ""
