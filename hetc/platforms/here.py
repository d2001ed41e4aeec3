"""The platform of the machine that this runs on: the devices that are there, else its processor."""

from __future__ import annotations

from pathlib import Path

from hetc.cache import cache_folder
from hetc.devices import manifests, resolve

AUTO = "auto"
MEASURED = "here.toml"


def platform_here() -> str:
    """What `auto` stands for: the names of the devices that programs can be run on here, joined by `+`. Where there are
    none but those that every machine has, a processor: as `hetc platform measure` found them if that was run here, else
    as their device files say."""
    found = _detected(everywhere=False)
    if not found and measured_file().is_file():
        return str(measured_file())
    return "+".join(found or _detected(everywhere=True))


def _detected(everywhere: bool) -> list[str]:
    """What the kinds that are everywhere, or the others, find."""
    asked = [kind.detect for kind in manifests() if kind.detect and kind.everywhere == everywhere]
    return [name for name in (resolve(detect)() for detect in asked) if name]


def measured_file() -> Path:
    """Where `hetc platform measure` writes what it finds."""
    return cache_folder("platforms") / MEASURED
