"""Which device files describe the devices of this machine that programs can be run on, found by light means."""

from __future__ import annotations

from pathlib import Path

from hetc.platforms import list_devices
from hetc.platforms.gpu import Gpu
from hetc.platforms.load import load_device
from hetc.runtime.environment import gpu_names
from hetc.runtime.versions import installed_version


def gpu(root: Path = Path("/")) -> str:
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
