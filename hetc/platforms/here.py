"""The platform of the machine that this runs on: the devices that are there, else its processor."""

from __future__ import annotations

from pathlib import Path

from hetc.cache import cache_folder
from hetc.devices import manifests, resolve

AUTO = "auto"
MEASURED = "here.toml"
PROCESSOR = "cpu"


def platform_here() -> str:
    """What `auto` stands for: the names of the devices that programs can be run on here, joined by `+`. Where there are
    none, the processor: as `hetc platform measure` found it if that was run here, else the platform `cpu`."""
    found = [resolve(kind.detect)() for kind in manifests() if kind.detect]
    names = [name for name in found if name]
    if names:
        return "+".join(names)
    return str(measured_file()) if measured_file().is_file() else PROCESSOR


def measured_file() -> Path:
    """Where `hetc platform measure` writes what it finds."""
    return cache_folder("platforms") / MEASURED
