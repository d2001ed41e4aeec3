"""Makes C simulation of many small kernels cheap: those of a program are built as one library, as most of the time is
the compiler's start."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from csim_builds import mixed_builds

from hetc.runtime import csim, fpga


@contextmanager
def fast_csim() -> Iterator[None]:
    """Kernels built meanwhile go into a cache of their own that is gone afterwards."""
    together = patch.object(fpga.CsimDevice, "load", _load)
    with mixed_builds(), tempfile.TemporaryDirectory() as name, patch.dict(os.environ, HETC_CACHE_DIR=name), together:
        yield


def _load(device: fpga.CsimDevice, directory: Path, kernels: Sequence[str]) -> None:
    files: dict[str, str] = {}
    for kernel in kernels:
        files |= {_included(path): text for path, text in fpga.project_files(directory, kernel).items()}
    sources = sorted(path for path in files if path.endswith(".cc.h"))
    files["together.cpp"] = "".join(f'#include "{path}"\n' for path in sources)
    device._kernels |= csim.build_many(files, kernels)


def _included(path: str) -> str:
    return path.replace(".cpp", ".cc.h")
