"""Makes C simulation of many small kernels cheap: no optimisation, the headers that all include precompiled, and the
kernels of a program in one library, as most of the time is the compiler's start."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from hetc.runtime import csim, fpga
from hetc.runtime.csim_toolchain import COMPILE_FLAGS, find_compiler, include_directory, project_headers, search_flags

_HEADERS = ("<ap_int.h>", "<hls_stream.h>", "<hls_math.h>", '"hetc_hls.h"', '"hetc_csim_entry.h"')


@contextmanager
def fast_csim() -> Iterator[None]:
    """Kernels built meanwhile go into a cache of their own that is gone afterwards."""
    with tempfile.TemporaryDirectory() as name, patch.dict(os.environ):
        folder = Path(name)
        os.environ["HETC_CACHE_DIR"] = str(folder / "cache")
        compiler = find_compiler()
        if "g++" in Path(compiler[0]).name and shutil.which(compiler[0]):
            os.environ["CXX"] = " ".join([*compiler, "-include", str(_precompiled(compiler, folder))])
        with patch.object(fpga.CsimDevice, "load", _load):
            yield


def _load(device: fpga.CsimDevice, directory: Path, kernels: Sequence[str]) -> None:
    files: dict[str, str] = {}
    for kernel in kernels:
        files |= {_included(path): text for path, text in fpga.project_files(directory, kernel).items()}
    sources = sorted(path for path in files if path.endswith(".cc.h"))
    files["together.cpp"] = "".join(f'#include "{path}"\n' for path in sources)
    device._kernels |= csim.build_many(files, kernels, optimise="-O0", checked=device.checked)


def _included(path: str) -> str:
    return path.replace(".cpp", ".cc.h")


def _precompiled(compiler: list[str], folder: Path) -> Path:
    """The headers compiled once with the flags of a kernel; g++ ignores the file where anything differs."""
    header = folder / "kernels.h"
    lines = ['#include "hetc_csim_prelude.h"', *(f"#include {name}" for name in _HEADERS)]
    header.write_text("\n".join(lines) + "\n")
    for file_name, text in project_headers().items():
        (folder / file_name).write_text(text)
    command = [*compiler, *COMPILE_FLAGS, "-O0", f"-I{include_directory()}", *search_flags()]
    subprocess.run([*command, "-x", "c++-header", header.name, "-o", "kernels.h.gch"], cwd=folder, check=True)
    return header
