"""C simulation: results, deadlocks by name, high-water marks, and every way a run is refused."""

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from hetc.diagnostics import DiagnosticError
from hetc.runtime.csim import CsimKernel, build_many
from hetc.runtime.csim_errors import (
    BlockedProcess,
    CsimArgumentError,
    CsimDeadlock,
    CsimError,
    CsimTimeout,
)

KERNELS = Path(__file__).parent / "csim_kernels"
STREAMING_TOPS = ("select_rows", "softmax_shallow", "softmax_deep")
BEHAVIOUR = (KERNELS / "behaviour.cpp").read_text()
BEHAVIOUR_TOPS = re.findall(r'^extern "C" void (\w+)', BEHAVIOUR, re.MULTILINE)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HETC_CACHE_DIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def kernels(cache: Path) -> dict[str, CsimKernel]:
    streaming = {"streaming.cpp": (KERNELS / "streaming.cpp").read_text()}
    behaviour = build_many({"behaviour.cpp": BEHAVIOUR}, BEHAVIOUR_TOPS, build_type="optimised")
    return behaviour | build_many(streaming, STREAMING_TOPS, build_type="optimised")


def test_a_streaming_selection_is_exact_with_ties(kernels: dict[str, CsimKernel]) -> None:
    random = np.random.default_rng(3)
    keys = random.integers(-2, 3, (777, 32)).astype(ml_dtypes.bfloat16)
    query = np.where(np.arange(32) < 4, 1, 0).astype(ml_dtypes.bfloat16)  # few lanes count: many ties
    picked = np.zeros(4, np.int32)
    report = kernels["select_rows"].run(keys, query, picked, 777, signature=["ptr", "ptr", "ptr", "i32"])
    scores = keys.astype(np.float32) @ query.astype(np.float32)
    expected = np.argsort(-scores, kind="stable")[:4]
    assert len(set(scores[expected])) < 4, "the test wants ties among the best"
    assert picked.tolist() == expected.tolist()
    assert report.fifo_depth == {"words": 8, "scores": 4, "picked": 2}
    assert report.words == {"words": 777, "scores": 777, "picked": 4}
    assert report.high_water == {"words": 8, "scores": 4, "picked": 2}


def test_fewer_rows_than_picks_leave_minus_one(kernels: dict[str, CsimKernel]) -> None:
    keys = np.ones((2, 32), ml_dtypes.bfloat16)
    picked = np.zeros(4, np.int32)
    report = kernels["select_rows"].run(keys, keys[0], picked, 2)
    assert picked.tolist() == [0, 1, -1, -1]
    assert report.high_water["words"] == 2


def test_a_fifo_one_too_shallow_is_named_and_one_deeper_passes(kernels: dict[str, CsimKernel]) -> None:
    x = np.random.default_rng(5).normal(size=64).astype(np.float32)
    out = np.zeros_like(x)
    with pytest.raises(CsimDeadlock) as caught:
        kernels["softmax_shallow"].run(x, out, 64)
    assert caught.value.blocked == (
        BlockedProcess("split", "write", "held", depth=62, occupancy=62),
        BlockedProcess("add_up", "read", "summed", depth=1, occupancy=0),
        BlockedProcess("normalise", "read", "total", depth=2, occupancy=0),
    )
    assert "process 'split' waits to write FIFO 'held' (depth 62, holds 62)" in str(caught.value)
    assert kernels["softmax_deep"].run(x, out, 64).high_water["held"] == 63
    expected = np.exp(x.astype(np.float64)) / np.exp(x.astype(np.float64)).sum()
    np.testing.assert_allclose(out, expected, rtol=1e-5)
    # The library survives a deadlock: what failed once is right with less to hold.
    kernels["softmax_shallow"].run(x[:63].copy(), out, 63)
    np.testing.assert_allclose(out[:63].sum(), 1, rtol=1e-5)


def test_streams_used_outside_processes_are_named(kernels: dict[str, CsimKernel]) -> None:
    with pytest.raises(CsimError, match="read of the empty stream 'lonely' outside a dataflow process"):
        kernels["read_outside"].run(np.zeros(1, np.float32))
    assert kernels["write_outside"].run(4).high_water == {"stuffed": 4}
    with pytest.raises(CsimError, match=r"write to the full stream 'stuffed' \(depth 4\)"):
        kernels["write_outside"].run(5)


def test_uneven_producers_and_consumers(kernels: dict[str, CsimKernel]) -> None:
    out = np.zeros(16, np.int32)
    kernels["uneven"].run(out, 10, 10)
    assert out[:10].tolist() == list(range(10))
    with pytest.raises(CsimDeadlock, match="finished before: produce") as caught:
        kernels["uneven"].run(out, 10, 12)
    assert caught.value.blocked == (BlockedProcess("consume", "read", "link", 16, 0),)
    with pytest.raises(CsimError, match="'link' still holds 2 of the 12 elements"):
        kernels["uneven"].run(out, 12, 10)


def test_a_polling_process_lets_others_run_and_cannot_hang(kernels: dict[str, CsimKernel]) -> None:
    out = np.zeros(100, np.int32)
    kernels["polling"].run(out, 100, 100)
    assert out.tolist() == list(range(100))
    with pytest.raises(CsimDeadlock, match="waits to poll FIFO 'link'"):
        kernels["polling"].run(out, 99, 100)


def test_nested_regions(kernels: dict[str, CsimKernel]) -> None:
    out = np.zeros(101, np.int32)
    report = kernels["nested"].run(out, 100, 100)
    assert out[:100].tolist() == list(range(2, 102))
    assert report.words == {"first": 100, "middle": 100, "last": 100}
    with pytest.raises(CsimDeadlock, match="'consume' waits to read FIFO 'last'"):
        kernels["nested"].run(out, 100, 101)
    with pytest.raises(CsimError, match="'last' still holds 1"):
        kernels["nested"].run(out, 100, 99)


def test_processes_started_in_a_loop_keep_their_arguments(kernels: dict[str, CsimKernel]) -> None:
    out = np.zeros(20, np.int32)
    report = kernels["channels"].run(out, 5)
    assert out.tolist() == [100 * channel + i for i in range(5) for channel in range(4)]
    assert list(report.words.values()) == [5] * 4, "streams of one name are told apart"


def test_a_process_may_hold_an_on_chip_array(kernels: dict[str, CsimKernel]) -> None:
    out = np.zeros(3, np.int32)
    kernels["large_array"].run(out, 3)
    assert out.tolist() == [(4 << 20) - 1 - i for i in range(3)]


def test_ap_int_and_lane_errors_do_not_end_the_process(kernels: dict[str, CsimKernel]) -> None:
    out = np.zeros(1, np.int32)
    with pytest.raises(CsimError, match="process 'bad_range': ap_int: a bit index or range is out of bounds"):
        kernels["range_error"].run(out)
    with pytest.raises(CsimError, match="ap_int: a bit index or range"):
        kernels["out_of_range_bits"].run(out, 512)
    word = np.arange(32, dtype=np.uint16)
    for lane in (-1, 32):
        with pytest.raises(CsimError, match=f"lane {lane} of a word of 32 lanes"):
            kernels["lane_error"].run(word, out, lane)
    kernels["lane_error"].run(word, out, 31)
    assert out[0] == 31


def test_an_access_outside_an_argument_names_it(kernels: dict[str, CsimKernel]) -> None:
    data, out = np.arange(10, dtype=np.int32), np.zeros(3, np.int32)
    kernels["stray_read"].run(data, out, 9)
    assert out[0] == 9
    for at, where in ((10, "0 bytes past its end"), (13, "12 bytes past its end")):
        message = rf"process 'stray': .*at argument 0 \(40 bytes\): {where}"
        with pytest.raises(CsimError, match=message):
            kernels["stray_read"].run(data, out, at)
    with pytest.raises(CsimError, match=r"argument 0 \(12 bytes\): 4 bytes past its end"):
        kernels["stray_write"].run(out, 4)
    with pytest.raises(CsimError, match="'stray_write' writes in front of argument 0"):
        kernels["stray_write"].run(out, -2)
    with pytest.raises(CsimError, match="access outside every buffer"):
        kernels["stray_write"].run(out, 2**31 - 1)
    kernels["stray_write"].run(out, 2, fenced=False)
    assert out[2] == 1


def test_other_faults_end_the_run_and_not_the_process(kernels: dict[str, CsimKernel]) -> None:
    out = np.zeros(1, np.int32)
    with pytest.raises(CsimError, match="integer division by zero"):
        kernels["divide"].run(out, 0)
    with pytest.raises(CsimError, match="local arrays need more than the stack of 128 MB"):
        kernels["deep_stack"].run(out, 100_000)
    kernels["divide"].run(out, 2)
    assert out[0] == 3


def test_one_array_passed_twice_stays_one(kernels: dict[str, CsimKernel]) -> None:
    both = np.arange(4, dtype=np.int32)
    kernels["stray_read"].run(both, both, 3)
    assert both.tolist() == [3, 1, 2, 3]
    with pytest.raises(CsimArgumentError, match=r"arguments 0 and 1 .* overlap in part"):
        kernels["stray_read"].run(both[:3], both, 0)


def test_scalars_of_every_kind_arrive(kernels: dict[str, CsimKernel]) -> None:
    out = np.zeros(4)
    assert kernels["scalars"].signature == ("i64", "u8", "f32", "b8", "p8")
    kernels["scalars"].run(np.int64(-(2**40)), 255, np.float32(1.5), True, out)
    assert out.tolist() == [-(2.0**40), 255, 1.5, 1]


def test_arguments_that_do_not_fit_are_refused(kernels: dict[str, CsimKernel]) -> None:
    run = kernels["select_rows"].run
    keys, picked = np.zeros((4, 64), np.uint8), np.zeros(4, np.int32)
    frozen = picked.copy()
    frozen.flags.writeable = False
    unaligned = np.zeros(4 * 64 + 1, np.uint8)[1:]
    refusals = {
        "takes 4 arguments, 3 given": (keys, keys, picked),
        "argument 0 .* expected a numpy array, got list": ([1], keys, picked, 4),
        "argument 0 .* is not contiguous": (keys[:, ::2], keys, picked, 4),
        "argument 0 .* 63 bytes are not a whole number of 64-byte": (keys[0, :63], keys, picked, 4),
        "argument 0 .* is not aligned": (unaligned, keys, picked, 4),
        "argument 2 .* read-only": (keys, keys, frozen, 4),
        "argument 3 .* expected an integer, got float": (keys, keys, picked, 4.0),
        "argument 3 .* does not fit i32": (keys, keys, picked, 2**31),
    }
    for message, arguments in refusals.items():
        with pytest.raises(CsimArgumentError, match=message):
            run(*arguments)
    with pytest.raises(CsimArgumentError, match=r"takes \(ptr, ptr, ptr, i32\), the caller expects \(ptr, i64\)"):
        run(keys, keys, picked, 4, signature=["ptr", "i64"])


def test_mathematics(kernels: dict[str, CsimKernel]) -> None:
    out = np.zeros(7, np.float32)
    kernels["mathematics"].run(np.float32([2.5, 0.25]), out)
    expected = [3.0, 2.0, 2.0, 0.27632639, 2.5, 0.015625, np.arctan2(2.5, 0.25)]
    np.testing.assert_allclose(out, np.float32(expected), rtol=2e-7)


def test_elements_move_fast(kernels: dict[str, CsimKernel]) -> None:
    # Some 150 M transfers/s were measured; a switch that costs a system call gives under a tenth.
    out, count = np.zeros(1, np.int32), 1_000_000
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        kernels["throughput"].run(out, count)
        seconds.append(time.perf_counter() - begin)
    assert 2 * count / min(seconds) > 15e6


@pytest.mark.parametrize(
    ("kernel", "place"), [("endless_loop", "process 'spin': "), ("endless_calls", ""), ("endless_streams", "")]
)
def test_a_kernel_without_end_is_stopped(
    kernels: dict[str, CsimKernel], monkeypatch: pytest.MonkeyPatch, kernel: str, place: str
) -> None:
    monkeypatch.setenv("HETC_KERNEL_TIMEOUT_S", "0.1")
    start = time.monotonic()
    for fenced in (True, False):
        with pytest.raises(CsimTimeout, match=f"kernel '{kernel}': {place}.*did not end within 0.1 s") as caught:
            kernels[kernel].run(np.zeros(1, np.int32), fenced=fenced)
        assert "HETC_KERNEL_TIMEOUT_S sets this limit in seconds, 0 takes it away" in str(caught.value)
    assert time.monotonic() - start < 10
    out = np.zeros(101, np.int32)
    kernels["nested"].run(out, 100, 100)
    assert out[:100].tolist() == list(range(2, 102)), "the library survives it"


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Ctrl-C raises, also where tests were started in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_a_kernel_that_ends_in_time_keeps_its_signals(
    kernels: dict[str, CsimKernel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ticks of the timer change nothing, and handlers are given back."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGRTMAX)]
    monkeypatch.setenv("HETC_KERNEL_TIMEOUT_S", "100")
    out = np.zeros(1, np.int32)
    kernels["throughput"].run(out, 10_000_000)
    assert out[0] == np.bitwise_xor.reduce(np.arange(1, 10_000_001, dtype=np.int32))
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGRTMAX)] == before
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)


@pytest.mark.usefixtures("interrupts")
def test_ctrl_c_ends_a_kernel(kernels: dict[str, CsimKernel], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HETC_KERNEL_TIMEOUT_S", "0")
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        kernels["endless_loop"].run(np.zeros(1, np.int32))
    timer.join()


@pytest.mark.parametrize("given", ["x", "-1", "nan", "inf"])
def test_a_limit_that_is_none(kernels: dict[str, CsimKernel], monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("HETC_KERNEL_TIMEOUT_S", given)
    with pytest.raises(DiagnosticError, match="HETC_KERNEL_TIMEOUT_S is a number of seconds"):
        kernels["stray_write"].run(np.zeros(4, np.int32), 1)
