"""Builds an emitted HLS C++ kernel for this machine and runs it on numpy arrays.

The emitted text is compiled as it stands. Streams are bounded and processes are fibres, so that a FIFO
too shallow ends the run with `CsimDeadlock` naming it. Nothing here says anything about cycles.
"""

import hashlib
import json
import platform
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hetc.cache import kept, using
from hetc.runtime.csim_errors import (
    CompilerMissingError,
    CsimArgumentError,
    CsimBuildError,
    CsimDeadlock,
    CsimError,
    HeadersMissingError,
    UnknownBuildTypeError,
)
from hetc.runtime.csim_kernel import CsimKernel, CsimReport
from hetc.runtime.csim_toolchain import (
    BUILD_TYPES,
    COMPILE_FLAGS,
    LINK_FLAGS,
    ap_types_digest,
    ap_types_include,
    check_compiler,
    choose_build_type,
    compiler_version,
    find_compiler,
    include_directory,
    run_compiler,
    search_flags,
)

__all__ = [
    "CompilerMissingError",
    "CsimArgumentError",
    "CsimBuildError",
    "CsimDeadlock",
    "CsimError",
    "CsimKernel",
    "CsimReport",
    "HeadersMissingError",
    "UnknownBuildTypeError",
    "ap_types_include",
    "build",
    "build_many",
    "find_compiler",
]

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_LIBRARY = "kernel.so"
_WARNINGS = "warnings.txt"


def build(
    files: Mapping[str, str], top: str, *, defines: Iterable[str] = (), build_type: str | None = None
) -> CsimKernel:
    """Compiles the kernel `top` out of `files` (path in the project -> text).

    `top` is defined in `top`.cpp, or in the only .cpp file; testbenches (`*_tb.cpp`) are left out.
    `defines` are macros, `NAME` or `NAME=VALUE`. The library is kept in the cache.
    `build_type` is one of csim_toolchain.BUILD_TYPES or `mixed`; by default what the environment variable
    HETC_CSIM_BUILD_TYPE names, else `optimised`.
    Raises CsimBuildError with the compiler's text, CompilerMissingError, HeadersMissingError, UnknownBuildTypeError,
    and DiagnosticError where the cache cannot be written.
    """
    return build_many(files, [top], defines=defines, build_type=build_type)[top]


def build_many(
    files: Mapping[str, str], tops: Iterable[str], *, defines: Iterable[str] = (), build_type: str | None = None
) -> dict[str, CsimKernel]:
    """Compiles several kernels into one library, which costs the compiler's start only once."""
    names = list(tops)
    for name in names:
        if not _IDENTIFIER.match(name):
            raise CsimError(f"'{name}' is not the name of a C++ function")
    for path in files:
        if Path(path).is_absolute() or ".." in Path(path).parts:
            raise CsimError(f"the file '{path}' lies outside the project")
    units = _translation_units(files, names)
    compiler = find_compiler()
    flags = [
        *COMPILE_FLAGS,
        *BUILD_TYPES[choose_build_type(build_type, files)],
        *(f"-D{define}" for define in defines),
    ]
    texts = {**files, **units}

    def make(folder: Path) -> dict[str, Any]:
        return _compile(folder, texts, list(units), compiler, flags)

    folder = kept("csim", _content_key(texts, compiler, flags), make)
    with using(folder):
        warnings = (folder / _WARNINGS).read_text()
    return {name: CsimKernel(folder / _LIBRARY, name, warnings) for name in names}


def _translation_units(sources: Mapping[str, str], tops: list[str]) -> dict[str, str]:
    """One unit for each source file: the file itself, and after it an entry for each top it defines."""
    paths = [path for path in sources if path.endswith((".cpp", ".cc")) and not path.endswith("_tb.cpp")]
    if not paths:
        raise CsimError("the project has no .cpp file to simulate")
    entries: dict[str, list[str]] = {path: [] for path in paths}
    for top in tops:
        named = [path for path in paths if Path(path).stem == top]
        if len(named) != 1 and len(paths) != 1:
            raise CsimError(f"which file defines '{top}'? Expected {top}.cpp among {', '.join(sorted(paths))}")
        entries[named[0] if named else paths[0]].append(top)
    units = {}
    for number, path in enumerate(paths):
        lines = [f'#include "{path}"', '#include "hetc_csim_entry.h"']
        lines += [f"HETC_CSIM_ENTRY({top})" for top in entries[path]]
        if number == 0:
            lines += ["HETC_CSIM_LIBRARY()", '#include "hetc_csim_undefined.h"']
        units[f"hetc_csim_unit_{number}.cpp"] = "\n".join(lines) + "\n"
    return units


def _content_key(files: Mapping[str, str], compiler: list[str], flags: list[str]) -> str:
    """A name for all that decides the library: texts, our headers, ap_int's, flags, compiler, machine."""
    own = {path.name: path.read_text() for path in sorted(include_directory().glob("*.h"))}
    parts = {
        "files": sorted(files.items()),
        "headers": sorted(own.items()),
        "ap_types": ap_types_digest(),
        "command": [*compiler, *flags, *LINK_FLAGS],
        "compiler": compiler_version(tuple(compiler)),
        "machine": platform.machine(),
    }
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _compile(
    folder: Path, files: Mapping[str, str], units: list[str], compiler: list[str], flags: list[str]
) -> dict[str, Any]:
    """Builds the library in a folder that gets the files, too; its manifest says nothing more."""
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    warnings = _call(folder, [*compiler, *flags, "-I.", *search_flags(), "-c", *units])
    # Linked without the flags: a sanitizer's would bring its runtime.
    objects = [Path(unit).with_suffix(".o").name for unit in units]
    warnings += _call(folder, [*compiler, *LINK_FLAGS, *objects, "-o", _LIBRARY])
    for item in objects:
        (folder / item).unlink()
    (folder / _WARNINGS).write_text(warnings)
    return {}


def _call(folder: Path, command: list[str]) -> str:
    """Runs the compiler in `folder`; what it said. Raises CsimError."""
    answer = run_compiler(command, folder)
    if answer.returncode != 0:
        check_compiler(find_compiler(), answer, folder)
        raise CsimBuildError("the C++ compiler refused the kernel", answer.stderr)
    return answer.stderr
