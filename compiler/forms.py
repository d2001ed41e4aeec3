"""The texts that backends print, by the names that `--emit` and `hetc-opt -t` know them by."""

from __future__ import annotations

from dataclasses import dataclass

from hetc.devices import manifests


@dataclass(frozen=True)
class TextForm:
    """Files of a work directory: those in `folder` with one of the endings, printed by a module with check and emit."""

    folder: str
    printer: str
    endings: tuple[str, ...]


def text_forms() -> dict[str, TextForm]:
    """Every form by name: those of the device kinds, then the host program."""
    kinds = {
        name: TextForm(f"{kind.kind}/", kind.printer, ends)
        for kind in manifests()
        for name, ends in kind.prints.items()
    }
    return {**kinds, "host-py": TextForm("host/", "hetc.backends.host", (".py",))}
