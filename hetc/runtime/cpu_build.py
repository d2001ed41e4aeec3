"""The kernels of a processor, compiled for this machine: once for a text, a compiler and a processor's features."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hetc.cache import kept
from hetc.runtime.csim_errors import UnknownBuildTypeError
from hetc.runtime.csim_toolchain import check_compiler, compiler_version, find_compiler, run_compiler
from hetc.runtime.errors import DeviceError

FLAGS = (
    "-std=c++17",
    "-Wall",
    "-Wextra",
    "-Wno-unknown-pragmas",
    # The same bits on every machine: no fused multiply-add where the kernel wrote two operations.
    "-ffp-contract=off",
    "-fPIC",
    "-fno-gnu-unique",
)
BUILD_TYPES: Mapping[str, tuple[str, ...]] = {
    "optimised": ("-O2", "-march=native"),
    # As fast as the compiler makes it, whatever the rounding.
    "measured": ("-O3", "-march=native", "-ffp-contract=fast"),
    # Undefined behaviour ends the process with a message that names the line.
    "checked": ("-O1", "-fsanitize=undefined,float-cast-overflow", "-fno-sanitize=vptr", "-fno-sanitize-recover=all"),
}
THREADS = "-fopenmp"
LINK = ("-shared", "-Wl,-Bsymbolic")
_LIBRARY = "kernels.so"


def choose_build_type(named: str = "") -> str:
    """The key of BUILD_TYPES: `named`, else what HETC_CPU_BUILD_TYPE names, else `optimised`. Raises
    UnknownBuildTypeError."""
    name = named or os.environ.get("HETC_CPU_BUILD_TYPE") or "optimised"
    if name not in BUILD_TYPES:
        place = "`build_type`" if named else "HETC_CPU_BUILD_TYPE"
        raise UnknownBuildTypeError(f"{place} is `{name}`; expected one of {', '.join(BUILD_TYPES)}")
    return name


def build(files: Mapping[str, str], build_type: str = "") -> ctypes.CDLL:
    """The library of these sources (name -> text; those that end in .cpp are compiled). Raises DeviceError with the
    compiler's text, CompilerMissingError, UnknownBuildTypeError, and DiagnosticError where the cache cannot be
    written."""
    compiler = find_compiler()
    flags = [*FLAGS, *BUILD_TYPES[choose_build_type(build_type)], *threading(tuple(compiler))]

    def make(folder: Path) -> dict[str, Any]:
        _compile(folder, files, compiler, flags)
        return {"compiler": compiler_version(tuple(compiler)), "flags": flags}

    parts = [sorted(files.items()), compiler, compiler_version(tuple(compiler)), flags, processor_features()]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    library = kept("cpu", key, make) / _LIBRARY
    try:
        return ctypes.CDLL(str(library))
    except OSError as error:
        raise DeviceError(f"the compiled kernels cannot be loaded: {error}") from error


def _compile(folder: Path, files: Mapping[str, str], compiler: Sequence[str], flags: Sequence[str]) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)
    sources = sorted(name for name in files if name.endswith(".cpp"))
    answer = run_compiler([*compiler, *flags, *LINK, *sources, "-o", _LIBRARY, "-lm"], folder)
    if answer.returncode != 0:
        check_compiler(list(compiler), answer, folder)
        raise DeviceError(f"the C++ compiler refused the kernels:\n{answer.stderr.strip()}")


@cache
def threading(compiler: tuple[str, ...]) -> tuple[str, ...]:
    """The flag for several threads, where this compiler has their library; else none, and kernels run on one."""
    text = "int main() { int n = 0;\n#pragma omp parallel\n  ++n;\n  return n == 0; }\n"
    key = hashlib.sha256(repr(compiler).encode()).hexdigest()
    folder = kept("cpu-threads", key, lambda path: _probe(path, compiler, text))
    return (THREADS,) if (folder / "threads").is_file() else ()


def _probe(folder: Path, compiler: Sequence[str], text: str) -> dict[str, Any]:
    (folder / "probe.cpp").write_text(text)
    answer = run_compiler([*compiler, THREADS, "probe.cpp", "-o", "probe"], folder)
    if answer.returncode == 0:
        (folder / "threads").write_text("")
    return {}


@cache
def processor_features() -> str:
    """What `-march=native` stands for here. Part of the cache's key: a home folder may be shared by machines."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    wanted = ("flags", "Features", "model name", "CPU implementer", "CPU part")
    found = {line.strip() for line in text.splitlines() if line.split(":")[0].strip() in wanted}
    return platform.machine() + "\n" + "\n".join(sorted(found))
