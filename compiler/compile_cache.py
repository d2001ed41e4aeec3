"""Work directories of pipelines compiled from Python, kept in the cache by the hash of all that they depend on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import hetc
from hetc.cache import kept
from hetc.compiler.driver import Options, compile_source_file, fill_directory
from hetc.devices import outside_packages
from hetc.platforms import load_platform
from hetc.source import SourceFile


def compiled_directory(source: SourceFile, options: Options) -> Path:
    """A work directory of `source`, compiled now where it is not there as it was written. Raises DiagnosticError."""
    return kept("pipelines", _key(source, options), lambda folder: _compile(source, options, folder))


def _compile(source: SourceFile, options: Options, folder: Path) -> Mapping[str, Any]:
    return fill_directory(compile_source_file(source, options), folder)


def _key(source: SourceFile, options: Options) -> str:
    parts = [
        version("hetc"), version("xdsl"), _compiler_stamp(), Path(source.name).name, source.text, options.as_dict(),
        repr(load_platform(options.platform)),
    ]  # fmt: skip
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{Path(source.name).stem}-{digest[:24]}"


@lru_cache(maxsize=1)
def _compiler_stamp() -> list[list[object]]:
    """Path, size and time of change of every file of the package, and of those of outside device kinds: an edited
    compiler compiles anew."""
    found: list[list[object]] = []
    for root in (Path(hetc.__file__).parent, *outside_packages()):
        for file in [root] if root.is_file() else _files(root):
            status = os.stat(file)
            found.append([os.path.relpath(file, root.parent), status.st_size, status.st_mtime_ns])
    return sorted(found, key=str)


def _files(root: Path) -> Iterator[str]:
    """Every file below a folder, through links; no compiled ones."""
    for folder, subfolders, files in os.walk(root, followlinks=True):
        subfolders[:] = [name for name in subfolders if name != "__pycache__"]
        yield from (os.path.join(folder, name) for name in files)
