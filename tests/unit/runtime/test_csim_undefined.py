"""Kernels of the build type `checked`: each thing that C++ leaves undefined ends the run, with its line and why."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hetc.runtime.csim import CsimKernel, build, build_many
from hetc.runtime.csim_errors import CsimError, UnknownBuildTypeError
from hetc.runtime.csim_toolchain import BUILD_TYPES, choose_build_type

KERNELS = Path(__file__).parent / "csim_kernels"
UNDEFINED = (KERNELS / "undefined.cpp").read_text()
TOPS = re.findall(r'^extern "C" void (\w+)', UNDEFINED, re.MULTILINE)
MOST = 2**31 - 1


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HETC_CACHE_DIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def kernels(cache: Path) -> dict[str, CsimKernel]:
    return build_many({"undefined.cpp": UNDEFINED}, TOPS, build_type="checked")


def held(value: int, dtype: type = np.int32) -> np.ndarray:
    return np.array([value], dtype)


def copies(arguments: list) -> list:
    """Kernels write into what they are given."""
    return [item.copy() if isinstance(item, np.ndarray) else item for item in arguments]


# kernel -> arguments of a run that is defined, of one that is not, and what is said of it.
CASES: dict[str, tuple[list, list, str]] = {
    "add": ([held(MOST), 0], [held(MOST), 1], r"\d+ \+ \d+ does not fit 'int'"),
    "subtract": ([held(-MOST), 1], [held(-MOST), 2], f"-{MOST} - 2 does not fit 'int'"),
    "multiply": ([held(2**40, np.int64), 1], [held(2**40, np.int64), -(2**30)], r"\d+ \* -?\d+ does not fit 'long"),
    "negate": ([held(MOST)], [held(-MOST - 1)], f"the negative of -{MOST + 1} does not fit"),
    "divide": ([held(-MOST - 1), 1], [held(-MOST - 1), -1], f"-{MOST + 1} / -1 does not fit"),
    "shift": ([held(0), 30], [held(0), 32], "1 of type 'int' shifted by 32"),
    "local_index": ([held(0), 7], [held(0), 8], r"index 8 outside of 'int \[8\]'"),
    "float_to_int": ([2e9, held(0)], [3e9, held(0)], "a 'float' that does not fit 'int'"),
    "read_condition": ([held(1, np.uint8), held(0)], [held(90, np.uint8), held(0)], "90 is read as a 'bool'"),
    "misaligned": ([np.ones(8, np.uint8), held(0), 4], [np.ones(8, np.uint8), held(0), 3], "'const int' at a misal"),
    "null_pointer": ([held(0), False], [held(0), True], "'const int' at a null pointer"),
    "no_return": ([held(0), 1], [held(0), 0], "the end of a function that returns a value"),
    "in_a_process": ([held(0), 0], [held(0), MOST], "process 'add_one': undefined behaviour at undefined.cpp:"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_ends_the_run_with_its_line(kernels: dict[str, CsimKernel], name: str) -> None:
    defined, undefined, message = CASES[name]
    kernels[name].run(*copies(defined))
    with pytest.raises(CsimError, match=message) as caught:
        kernels[name].run(*copies(undefined))
    found = re.search(r"undefined behaviour at (\S+):(\d+):\d+: ", str(caught.value))
    assert found is not None and found[1].endswith("undefined.cpp")
    line = UNDEFINED.splitlines()[int(found[2]) - 1]
    assert re.search(r"out\[0\] = |pointer \+ 1|without_value", line), "the line that did it"
    kernels[name].run(*copies(defined))


def test_what_was_never_set_is_a_pattern(kernels: dict[str, CsimKernel]) -> None:
    out = held(0)
    kernels["never_set"].run(out, 5)
    assert out[0] == 5
    kernels["never_set"].run(out, 0)
    assert out.view(np.uint8).tolist() in ([0xFE] * 4, [0xAA] * 4)  # GCC's, Clang's


def test_the_environment_names_the_build_type(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = {"one.cpp": 'extern "C" void one(int* out) { out[0] = out[0] + 1; }\n'}
    monkeypatch.setenv("HETC_CSIM_BUILD_TYPE", "checked")
    with pytest.raises(CsimError, match=r"one\.cpp:1:\d+: 2147483647 \+ 1"):
        build(text, "one").run(held(MOST))
    build(text, "one", build_type="plain").run(held(MOST))
    monkeypatch.setenv("HETC_CSIM_BUILD_TYPE", "fast")
    with pytest.raises(
        UnknownBuildTypeError, match=r"HETC_CSIM_BUILD_TYPE is `fast`; expected one of optimised, plain"
    ):
        build(text, "one")
    with pytest.raises(UnknownBuildTypeError, match="`build_type` is `O2`"):
        build(text, "one", build_type="O2")


def test_mixed_is_every_build_type_and_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HETC_CSIM_BUILD_TYPE", "mixed")
    texts = [{"a.cpp": f"int number = {number};"} for number in range(300)]
    chosen = [choose_build_type(None, text) for text in texts]
    assert chosen == [choose_build_type("mixed", text) for text in texts]
    assert all(70 < chosen.count(name) < 130 for name in BUILD_TYPES)
