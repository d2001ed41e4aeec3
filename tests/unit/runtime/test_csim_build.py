"""Building kernels for C simulation: the cache, the compiler's text, and what may be missing."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hetc.runtime import csim_toolchain
from hetc.runtime.csim import CsimKernel, build
from hetc.runtime.csim_errors import (
    CompilerFailedError,
    CompilerMissingError,
    CsimBuildError,
    CsimError,
    HeadersMissingError,
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HETC_CACHE_DIR", str(folder))
        yield folder


def test_the_cache_is_hit_and_a_change_misses_it(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'extern "C" void one(int* out) { out[0] = VALUE; }\n'
    first = build({"one.cpp": text}, "one", defines=["VALUE=1"], build_type="plain")
    stamp = first.library.stat().st_mtime_ns
    with monkeypatch.context() as patch:
        patch.setattr("subprocess.run", None)  # a hit starts no compiler
        again = build({"one.cpp": text}, "one", defines=["VALUE=1"], build_type="plain")
    assert again.library == first.library and first.library.stat().st_mtime_ns == stamp
    other = build({"one.cpp": text}, "one", defines=["VALUE=2"], build_type="plain")
    out = np.zeros(1, np.int32)
    for kernel, value in ((first, 1), (other, 2)):
        kernel.run(out)
        assert out[0] == value
    monkeypatch.setenv("HETC_ALWAYS_COMPILE", "1")
    build({"one.cpp": text}, "one", defines=["VALUE=1"], build_type="plain")
    assert first.library.stat().st_mtime_ns > stamp
    assert not list(cache.glob("csim/.*"))


BUILD = """
from hetc.runtime.csim import CsimKernel, build
import sys
print(build({"a.cpp": f'extern "C" void a(int* out) {{ out[0] = {sys.argv[1]}; }}'}, "a", build_type="plain").library)
"""


def library_of(value: int) -> Path:
    """The library of a kernel that gives a value, built in a process of its own: none of it is loaded here."""
    command = [sys.executable, "-c", BUILD, str(value)]
    return Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())


def test_a_library_that_was_damaged_is_built_again(cache: Path) -> None:
    first, other = library_of(11), library_of(12)
    whole = first.read_bytes()
    first.write_bytes(whole[: len(whole) // 2])
    assert library_of(11) == first and first.read_bytes()[:4] == whole[:4]
    shutil.copyfile(other, first)
    kernel = build({"a.cpp": 'extern "C" void a(int* out) { out[0] = 11; }'}, "a", build_type="plain")
    out = np.zeros(1, np.int32)
    kernel.run(out)
    assert kernel.library == first and out[0] == 11


def test_a_library_that_cannot_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "kernel.so").write_bytes(b"of another machine")
    with pytest.raises(CsimError, match=r"the library of kernel 'a' cannot be loaded: .*kernel.so"):
        CsimKernel(tmp_path / "kernel.so", "a")


def test_compile_errors_carry_the_compilers_text(cache: Path) -> None:
    with pytest.raises(CsimBuildError, match=r"wrong\.cpp:2:.*'undeclared' was not declared") as caught:
        build({"wrong.cpp": '#include "hetc_hls.h"\nextern "C" void wrong() { undeclared(); }\n'}, "wrong")
    assert "error:" in caught.value.compiler_text


def test_an_array_between_processes_is_a_compile_error(cache: Path) -> None:
    text = """
#include "hetc_hls.h"
static void fill(int (&buffer)[4]) { buffer[0] = 1; }
extern "C" void shared() {
  int buffer[4];
  HETC_DATAFLOW_BEGIN();
  HETC_PROCESS(fill, buffer);
  HETC_DATAFLOW_END();
}
"""
    with pytest.raises(CsimBuildError, match="use an hls::stream"):
        build({"shared.cpp": text}, "shared", build_type="plain")


def test_warnings_are_kept_with_the_library(cache: Path) -> None:
    text = 'extern "C" void careless(int* out) { int forgotten; out[0] = 1; }\n'
    for _ in range(2):  # the second comes from the cache
        assert "unused variable 'forgotten'" in build({"careless.cpp": text}, "careless").warnings


def test_a_project_of_several_files(cache: Path) -> None:
    files = {
        "src/first.cpp": '#include "twice.h"\nextern "C" void first(int* out) { out[0] = twice(21); }\n',
        "src/helper.cpp": '#include "twice.h"\nint twice(int x) { return 2 * x; }\n',
        "src/twice.h": "int twice(int x);\n",
        "first_tb.cpp": "int main() { return 0; }\n",
    }
    out = np.zeros(1, np.int32)
    build(files, "first", build_type="plain").run(out)
    assert out[0] == 42
    with pytest.raises(CsimError, match=r"which file defines 'second'\? Expected second.cpp"):
        build(files, "second")
    with pytest.raises(CsimError, match="outside the project"):
        build({"../first.cpp": ""}, "first")


def test_a_missing_compiler_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler -O2")
    with pytest.raises(CompilerMissingError, match="'no-such-compiler', is not on the path"):
        csim_toolchain.find_compiler()
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CompilerMissingError, match=r"apt-get install g\+\+"):
        build({"one.cpp": ""}, "one")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("kill -9 $$", "was ended by SIGKILL"),
        ("echo 'g++: fatal error: Killed signal terminated program cc1plus' >&2; exit 1", r"was stopped: g\+\+: fatal"),
        ("echo 'ld: final link failed: No space left on device' >&2; exit 1", "was stopped: ld: final link failed"),
        ("echo 'cc1plus not found' >&2; exit 1", "compiles nothing on this machine: cc1plus not found"),
        ("exit 4", "compiles nothing on this machine: exit status 4"),
    ],
)
def test_a_compiler_that_the_machine_stops(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, words: str
) -> None:
    """The kernel may be right: nothing is said against it."""
    compiler = tmp_path / "cxx"
    compiler.write_text(f'#!/bin/sh\ncase "$*" in *--version*) echo 12;; *) {script};; esac\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    with pytest.raises(CompilerFailedError, match=words):
        build({"one.cpp": 'extern "C" void one() {}\n'}, "one")
    assert not list(cache.glob("csim/.*"))


@pytest.mark.parametrize(
    ("named", "words"),
    [("'g++", "CXX names no command"), (" ", "CXX names no command: ' '"), ("SCRIPT", "cannot be started")],
)
def test_a_compiler_that_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str, words: str) -> None:
    script = tmp_path / "cxx"
    script.write_bytes(b"\x7fELF no program")
    script.chmod(0o755)
    monkeypatch.setenv("CXX", str(script) if named == "SCRIPT" else named)
    with pytest.raises(CompilerMissingError, match=words):
        build({"one.cpp": 'extern "C" void one() {}\n'}, "one")


def test_missing_headers_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(HeadersMissingError, match=r"pip install --no-deps hls4ml==1\.3\.0"):
        csim_toolchain.ap_types_include()


def test_projects_carry_only_headers_that_synthesis_reads() -> None:
    headers = csim_toolchain.project_headers()
    assert set(headers) == {"hetc_hls.h", "hetc_float.h", "hetc_scalar.h"}
    for text in headers.values():
        included = [line for line in text.splitlines() if line.startswith('#include "')]
        assert all(line.split('"')[1] in headers for line in included)


def test_a_testbench_of_its_own_builds_with_the_printed_flags(tmp_path: Path) -> None:
    kernel = Path(__file__).parent / "csim_kernels" / "streaming.cpp"
    (tmp_path / "bench.cpp").write_text(
        'extern "C" void softmax_shallow(const float*, float*, int);\n'
        "int main(int count, char**) { float x[64] = {}, out[64]; softmax_shallow(x, out, 62 + count); }\n"
    )
    module = "hetc.runtime.csim_toolchain"
    flags = subprocess.run([sys.executable, "-m", module], capture_output=True, text=True, check=True).stdout
    command = [*csim_toolchain.find_compiler(), *shlex.split(flags), str(kernel), "bench.cpp", "-o", "bench"]
    subprocess.run(command, cwd=tmp_path, check=True)
    bench = str(tmp_path / "bench")
    assert subprocess.run([bench], check=False).returncode == 0
    hung = subprocess.run([bench, "one more"], capture_output=True, text=True, check=False)
    assert hung.returncode != 0
    assert "process 'split' waits to write FIFO 'held' (depth 62, holds 62)" in hung.stderr


def test_the_flags_need_the_headers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert csim_toolchain.main() == 3
    assert "hls4ml" in capsys.readouterr().err
