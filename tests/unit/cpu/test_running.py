"""Programs on the processor: threads, states, undefined behaviour, and tensors that stay where they lie."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from hetc.compiler.driver import Options, compile_source_file, write_directory
from hetc.runtime.cpu import aligned
from hetc.runtime.program import HostProgram, load_program
from hetc.source import SourceFile

PROGRAM = """
pipeline scan grows T by 1:
    dim B <= 8
    dim T <= 4096 per B
    dim D = 32
    dim K = 8
    input x: bf16[B, D]
    memory keys: bf16[B, T, D]
    prepare:
        append(keys, x)
    relevancy:
        s[b, t] = sum[d](x[b, d] * keys[b, t, d])
    retrieve:
        p[b, j] = topk[t](s[b, t], K, order=score)
    apply:
        a[b, j] = softmax[j](s[b, p[b, j]])
        o[b, d] = sum[j](a[b, j] * keys[b, p[b, j], d])
    output o: f32, p
"""
BATCH, LENGTH = 8, 1000


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scan") / "out"
    write_directory(compile_source_file(SourceFile("scan.mp", PROGRAM), Options("cpu")), out)
    return out


def call(program: HostProgram, seed: int) -> list[np.ndarray]:
    """Two calls on a state of its own."""
    rng = np.random.default_rng(seed)
    state = program.new_state(B=BATCH, T=LENGTH + 2)
    state.load("keys", rng.standard_normal((BATCH, LENGTH, 32)).astype(np.float32), np.full(BATCH, LENGTH))
    results = []
    for _ in range(2):
        given = rng.standard_normal((BATCH, 32)).astype(np.float32)
        results += [value.numpy() for value in program.step("scan")(state, x=given).values()]
    return results


@pytest.mark.parametrize("threads", [2, 5])
def test_results_do_not_depend_on_threads(directory: Path, threads: int) -> None:
    one, several = (load_program(directory, device_options={"cpu": {"threads": count}}) for count in (1, threads))
    for first, second in zip(call(one, 3), call(several, 3), strict=True):
        assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("row", [0, 3, 7])
def test_a_sequence_gets_the_same_bits_alone_and_in_a_batch(directory: Path, row: int) -> None:
    """Sequences of several lengths, among them one that is split over threads."""
    program = load_program(directory, device_options={"cpu": {"threads": 2}})
    rng = np.random.default_rng(9)
    lengths = np.array([1000, 1, 40, 3000, 17, 0, 500, 2049])
    keys = rng.standard_normal((BATCH, lengths.max(), 32)).astype(np.float32)
    x = rng.standard_normal((BATCH, 32)).astype(np.float32)
    together, alone = program.new_state(B=BATCH, T=3001), program.new_state(B=1, T=lengths[row] + 1)
    together.load("keys", keys, lengths)
    alone.load("keys", keys[row : row + 1, : lengths[row]], lengths[row : row + 1])
    step = program.step("scan")
    whole, one = step(together, x=x), step(alone, x=x[row : row + 1])
    for name, value in whole.items():
        assert value[row].numpy().tobytes() == one[name][0].numpy().tobytes()


def test_states_are_used_by_several_threads_at_once(directory: Path) -> None:
    program = load_program(directory)
    expected = [call(program, seed) for seed in range(4)]
    found: dict[int, list[np.ndarray]] = {}

    def work(seed: int) -> None:
        found[seed] = call(program, seed)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for seed, results in enumerate(expected):
        assert [one.tobytes() for one in results] == [one.tobytes() for one in found[seed]]


def test_a_tensor_of_the_declared_dtype_stays_where_it_lies(directory: Path) -> None:
    program = load_program(directory)
    moved: list[str] = []
    program.on_transfer = lambda trace: moved.append(trace.tensor)
    state = program.new_state(B=BATCH, T=64)
    program.step("scan")(state, x=torch.ones(BATCH, 32, dtype=torch.bfloat16))
    assert moved == []
    program.step("scan")(state, x=np.ones((BATCH, 32), np.float32))  # is rounded first
    assert moved == ["x"]


@pytest.mark.parametrize("elements", [0, 1, 100, 1 << 20])
def test_memory_is_aligned_and_zero(elements: int) -> None:
    array = aligned(elements, np.dtype(np.float32))
    assert array.shape == (elements,) and not array.any()
    assert elements == 0 or array.ctypes.data % 64 == 0


def test_random_programs_have_no_undefined_behaviour() -> None:
    """Built with checks that end the process."""
    command = "from random_programs.run_many import run_many, failures; print(failures(run_many(range(6), ('cpu',))))"
    environment = {**os.environ, "HETC_CPU_BUILD_TYPE": "checked"}
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr[-2000:]


def test_the_checked_build_ends_at_undefined_behaviour(tmp_path: Path) -> None:
    text = 'extern "C" int shift(int by) { return 1 << by; }\n'
    command = f"from hetc.runtime.cpu_build import build\nbuild({{'shift.cpp': {text!r}}}, 'checked').shift(40)"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert done.returncode != 0 and "shift exponent 40 is too large" in done.stderr
