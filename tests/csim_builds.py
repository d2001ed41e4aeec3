"""How the tests build kernels for C simulation: some of every build type, and with the headers that all include
compiled once for each of them, since otherwise most of the time goes into those."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from hetc.cache import cache_folder
from hetc.runtime import csim
from hetc.runtime.csim_toolchain import MIXED, compiler_version, include_directory, search_flags

_HEADERS = ("hetc_csim_prelude.h", "hls_math.h", "hls_stream.h", "hetc_csim_entry.h")
_DAY_S = 86_400
_call_compiler = csim._call


@contextmanager
def mixed_builds() -> Iterator[None]:
    """Kernels built meanwhile are `mixed`, unless HETC_CSIM_BUILD_TYPE says otherwise."""
    with patch.dict(os.environ):
        os.environ.setdefault("HETC_CSIM_BUILD_TYPE", MIXED)
        headers = _Headers(cache_folder("test-headers"))
        with patch.object(csim, "_call", headers.call):
            yield


class _Headers:
    """Precompiled headers under `root`, which processes share; those not used for a day are removed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def call(self, folder: Path, command: list[str]) -> str:
        """What `csim` calls the compiler with; what it compiles includes a precompiled header first."""
        if "-c" not in command or "Free Software Foundation" not in compiler_version((command[0],)):
            return _call_compiler(folder, command)  # GCC takes the file that lies beside a header
        options = command[: command.index("-I.")]
        header = self._precompiled([item for item in options if not item.startswith("-D")])
        return _call_compiler(folder, [*options, "-include", str(header), *command[len(options) :]])

    def _precompiled(self, command: list[str]) -> Path:
        texts = [(include_directory() / name).read_text() for name in _HEADERS]
        described = json.dumps([command, search_flags(), compiler_version((command[0],)), texts])
        folder = self.root / hashlib.sha256(described.encode()).hexdigest()[:16]
        header = folder / "kernels.h"
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not header.is_file():
                self._remove_unused()
                aside = folder.with_name("new")
                shutil.rmtree(aside, ignore_errors=True)
                aside.mkdir()
                (aside / header.name).write_text("".join(f"#include <{name}>\n" for name in _HEADERS))
                output = ["-x", "c++-header", header.name, "-o", f"{header.name}.gch"]
                _call_compiler(aside, [*command, *search_flags(), *output])
                aside.rename(folder)
        os.utime(folder)
        return header

    def _remove_unused(self) -> None:
        for folder in self.root.iterdir():
            if folder.is_dir() and time.time() - folder.stat().st_mtime > _DAY_S:
                shutil.rmtree(folder, ignore_errors=True)
