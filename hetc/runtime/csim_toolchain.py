"""What C simulation needs on this machine, a C++ compiler and the ap_int headers, and the ways to build a kernel."""

import hashlib
import importlib.util
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from hetc.diagnostics import reason_of
from hetc.runtime.csim_errors import (
    CompilerFailedError,
    CompilerMissingError,
    CsimError,
    HeadersMissingError,
    UnknownBuildTypeError,
)

# Headers that a generated project carries itself, since synthesis reads them too.
PROJECT_HEADERS = ("hetc_hls.h", "hetc_float.h", "hetc_scalar.h")

COMPILE_FLAGS = (
    "-std=c++17",
    "-Wall",
    "-Wextra",
    "-Wno-unknown-pragmas",
    "-Wno-uninitialized",
    "-Wno-maybe-uninitialized",
    "-Wno-unused-function",
    # The same bits on every machine: no fused multiply-add where the kernel wrote two operations.
    "-ffp-contract=off",
    # glibc's fortified longjmp refuses to change stacks (some distributions turn it on by default).
    "-U_FORTIFY_SOURCE",
    "-fPIC",
    # Two kernel libraries in one process share nothing, not even an inline variable.
    "-fno-gnu-unique",
)
BUILD_TYPES: dict[str, tuple[str, ...]] = {
    # Runs fastest.
    "optimised": ("-O2",),
    # Is built fastest.
    "plain": ("-O0",),
    # Undefined behaviour ends the run with an error that names its line (hetc_csim_undefined.h), and a variable that
    # was never set holds a pattern and not what happens to lie there. `vptr` needs the sanitizer's own runtime, and
    # nothing here has virtual functions.
    "checked": (
        "-O0",
        "-fsanitize=undefined,float-cast-overflow",
        "-fno-sanitize=vptr",
        "-ftrivial-auto-var-init=pattern",
    ),
}
"""The ways to build a kernel, each by what the compiler is told. `checked` needs g++ 12 or later, or clang."""
MIXED = "mixed"
"""One of BUILD_TYPES for each library, by the hash of its sources: what tests build with, to have some of each."""
DEFAULT_BUILD_TYPE = "optimised"
LINK_FLAGS = ("-shared", "-Wl,-Bsymbolic")

# In a compiler's messages: the machine stopped it, for want of memory or of room on the disk.
_STOPPED = ("signal terminated program", "No space left on device", "out of memory", "Cannot allocate memory")


def include_directory() -> Path:
    """The folder of our own headers: the streams, the mathematics and what projects carry."""
    return Path(__file__).parent / "include"


def project_headers() -> dict[str, str]:
    """The text of each header that a generated project carries, by file name."""
    return {name: (include_directory() / name).read_text() for name in PROJECT_HEADERS}


def choose_build_type(named: str | None, sources: Mapping[str, str]) -> str:
    """The key of BUILD_TYPES to build these sources (path -> text) with: `named`, else what HETC_CSIM_BUILD_TYPE names.

    Raises UnknownBuildTypeError for another name.
    """
    name = named or os.environ.get("HETC_CSIM_BUILD_TYPE") or DEFAULT_BUILD_TYPE
    if name == MIXED:
        digest = hashlib.sha256(json.dumps(sorted(sources.items())).encode()).digest()
        return list(BUILD_TYPES)[digest[0] % len(BUILD_TYPES)]
    if name not in BUILD_TYPES:
        place = "`build_type`" if named else "HETC_CSIM_BUILD_TYPE"
        raise UnknownBuildTypeError(f"{place} is `{name}`; expected one of {', '.join((*BUILD_TYPES, MIXED))}")
    return name


def find_compiler() -> list[str]:
    """The C++ compiler's command, from `CXX` or the path.

    Raises CompilerMissingError where there is none.
    """
    named = os.environ.get("CXX")
    if named:
        try:
            command = shlex.split(named)
        except ValueError as error:
            raise CompilerMissingError(f"CXX names no command: {named!r}: {error}") from error
        if not command:
            raise CompilerMissingError(f"CXX names no command: {named!r}")
        if shutil.which(command[0]) is None:
            raise CompilerMissingError(f"the C++ compiler that CXX names, '{command[0]}', is not on the path")
        return command
    for name in ("g++", "clang++", "c++"):
        found = shutil.which(name)
        if found:
            return [found]
    raise CompilerMissingError(
        "C simulation needs a C++17 compiler and none was found on the path (g++, clang++, c++). "
        "Install one (Debian, Ubuntu: apt-get install g++; Fedora: dnf install gcc-c++) or name it in CXX"
    )


@cache
def compiler_version(command: tuple[str, ...]) -> str:
    """What the compiler says of itself; part of the cache key. Raises CompilerMissingError where it does not start."""
    answer = run_compiler([*command, "--version"])
    return answer.stdout + answer.stderr


def run_compiler(command: list[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """What a compiler's command answers, with messages in one language and one alphabet.

    Raises CompilerMissingError where it cannot be started, OSError where `folder` is gone.
    """
    plain = {**os.environ, "LC_ALL": "C"}
    try:
        return subprocess.run(
            command, cwd=folder, env=plain, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        if folder is not None and not folder.is_dir():
            raise
        raise CompilerMissingError(f"the C++ compiler '{command[0]}' cannot be started: {reason_of(error)}") from error


def check_compiler(compiler: list[str], answer: subprocess.CompletedProcess[str], folder: Path) -> None:
    """After `answer`, a failure: whether it is the machine's, for the text compiled may be right.

    Raises CompilerFailedError where the compiler was stopped, found no room, or compiles nothing at all.
    """
    said = answer.stderr.strip()
    if answer.returncode < 0:
        name = signal.Signals(-answer.returncode).name
        raise CompilerFailedError(f"the C++ compiler '{compiler[0]}' was ended by {name}")
    for sign in _STOPPED:
        if sign in said:
            line = next(line for line in said.splitlines() if sign in line)
            raise CompilerFailedError(f"the C++ compiler '{compiler[0]}' was stopped: {line.strip()}")
    (folder / "hetc_probe.cpp").write_text('extern "C" int hetc_probe() { return 0; }\n')
    probe = run_compiler([*compiler, "-fPIC", "-shared", "hetc_probe.cpp", "-o", "hetc_probe.so"], folder)
    if probe.returncode != 0:
        said = probe.stderr.strip() or f"exit status {probe.returncode}"
        raise CompilerFailedError(f"the C++ compiler '{compiler[0]}' compiles nothing on this machine: {said}")


def ap_types_include() -> Path:
    """The folder with ap_int.h in the installed hls4ml wheel, found without importing hls4ml.

    Raises HeadersMissingError where the wheel is absent or has another layout.
    """
    advice = "pip install 'hetc[run]', or pip install --no-deps hls4ml==1.3.0"
    spec = importlib.util.find_spec("hls4ml")
    if spec is None or not spec.submodule_search_locations:
        raise HeadersMissingError(f"C simulation needs the ap_int headers of the hls4ml wheel: {advice}")
    for root in spec.submodule_search_locations:
        folder = Path(root) / "templates" / "vivado" / "ap_types"
        if (folder / "ap_int.h").is_file():
            return folder
    raise HeadersMissingError(f"the installed hls4ml carries no templates/vivado/ap_types/ap_int.h: {advice}")


@cache
def ap_types_digest() -> str:
    """The SHA-256 of the ap_int headers, paths and texts."""
    folder, found = ap_types_include(), hashlib.sha256()
    for path in sorted(folder.rglob("*.h")):
        found.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
    return found.hexdigest()


def search_flags() -> list[str]:
    """Where the headers are: ours first, since the ap_int headers come with streams of their own."""
    prelude = ["-include", "hetc_csim_prelude.h"]
    return [f"-I{include_directory()}", "-isystem", str(ap_types_include()), *prelude]


def main() -> int:
    """Prints the compiler's flags, for the Makefile of a generated project."""
    try:
        print(shlex.join([*COMPILE_FLAGS, *search_flags()]))
    except CsimError as reason:
        print(reason, file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
