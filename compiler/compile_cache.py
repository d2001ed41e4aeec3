"""Work directories of pipelines compiled from Python, kept by the hash of all that they depend on.

They stand under HETC_CACHE_DIR (default ~/.cache/hetc), in `pipelines`. HETC_ALWAYS_COMPILE compiles anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import hetc
from hetc.compiler.driver import Options, compile_source_file, write_directory
from hetc.compiler.work_directory import WorkDirectory
from hetc.diagnostics import DiagnosticError
from hetc.platforms import load_platform
from hetc.source import SourceFile


def compiled_directory(source: SourceFile, options: Options) -> Path:
    """A work directory of `source`, compiled now where it is not there yet, or was edited. Raises DiagnosticError."""
    folder = _root() / _key(source, options)
    if not os.environ.get("HETC_ALWAYS_COMPILE") and _is_whole(folder):
        return folder
    compilation = compile_source_file(source, options)
    try:
        write_directory(compilation, folder)
    except OSError:
        # Another process put the same content there at the same moment.
        if not _is_whole(folder):
            raise
    return folder


def _root() -> Path:
    base = os.environ.get("HETC_CACHE_DIR")
    return (Path(base) if base else Path.home() / ".cache" / "hetc") / "pipelines"


def _key(source: SourceFile, options: Options) -> str:
    parts = [
        version("hetc"), _compiler_stamp(), Path(source.name).name, source.text, options.as_dict(),
        repr(load_platform(options.platform)),
    ]  # fmt: skip
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{Path(source.name).stem}-{digest[:24]}"


@lru_cache(maxsize=1)
def _compiler_stamp() -> list[list[object]]:
    """Path, size and time of change of every file of the package: an edited compiler compiles anew."""
    root = Path(hetc.__file__).parent
    found: list[list[object]] = []
    for folder, subfolders, files in os.walk(root, followlinks=True):
        subfolders[:] = [name for name in subfolders if name != "__pycache__"]
        for name in files:
            status = os.stat(os.path.join(folder, name))
            found.append([os.path.relpath(os.path.join(folder, name), root), status.st_size, status.st_mtime_ns])
    return sorted(found, key=str)


def _is_whole(folder: Path) -> bool:
    try:
        return not WorkDirectory.open(folder).edited_files()
    except DiagnosticError:
        return False
