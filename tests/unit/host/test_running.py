"""A placed pipeline through the device lowerings, the host lowering and the backends, then run: the GPU's kernel under
the interpreter, the FPGA's in C simulation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.parser import Parser

from hetc.backends import host
from hetc.backends.hls import project as hls
from hetc.backends.triton import emit as triton
from hetc.dialects.registry import new_context
from hetc.passes.registry import load
from hetc.runtime.errors import DeviceError, DeviceMissingError, ProgramError
from hetc.runtime.program import load_program

TEXT = (Path(__file__).parent / "score.mlir").read_text()
STRIPED = TEXT.replace('stages ["relevancy"]', 'stages ["relevancy"] schedule {stripes = 2 : i64, striped = [0 : i64]}')
WEIGHT = np.array([1, -2, 3, 1], np.float32)


def write_program(text: str, directory: Path) -> None:
    context = new_context()
    module = Parser(context, text).parse_module()
    for flag in ("lower-to-hls", "lower-to-triton", "lower-to-host"):
        load(flag)().apply(context, module)
    for backend in (hls, triton, host):
        assert not backend.check(module)
        for path, content in backend.emit(module).items():
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_text(content)


@pytest.fixture(params=[TEXT, STRIPED], ids=["whole", "striped"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    assert (request.param is TEXT) or request.param != TEXT
    write_program(request.param, tmp_path)
    return load_program(tmp_path, "emulation")


def test_steps_over_ragged_rows_against_numpy(program: Any) -> None:
    assert program.backends == {"fpga": "c-simulation", "gpu": "triton-interpreter"}
    rng = np.random.default_rng(0)
    keys = rng.integers(-3, 4, (3, 5, 4)).astype(np.float32)
    lengths = [5, 0, 2]
    state = program.new_state(B=3, T=7)
    state.load("keys", keys, lengths=lengths)
    rows = [list(keys[row, :length]) for row, length in enumerate(lengths)]
    for _ in range(2):
        x = rng.integers(-3, 4, (3, 4)).astype(np.float32)
        scores = program.decode(state, x=x, W=WEIGHT)["s"].numpy()
        for row, values in enumerate(x * WEIGHT):
            rows[row].append(values)
            np.testing.assert_array_equal(scores[row, : len(rows[row])], np.array(rows[row]) @ values)
            assert not scores[row, len(rows[row]) :].any()
    assert state.lengths["T"].tolist() == [7, 2, 4]


def test_a_kernel_that_fails_on_the_fpga_leaves_the_state(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from hetc.runtime.csim import CsimDeadlock, CsimKernel

    state = program.new_state(B=1, T=4)
    x = np.ones((1, 4), np.float32)
    program.decode(state, x=x, W=WEIGHT)
    before = (state.read("keys").tolist(), state.lengths["T"].tolist(), dict(state.calls))

    def hang(*arguments: Any, **options: Any) -> None:
        raise CsimDeadlock("no process can go on", ())

    with monkeypatch.context() as patched:
        patched.setattr(CsimKernel, "run", hang)
        with pytest.raises(DeviceError, match="C simulation: no process can go on"):
            program.decode(state, x=x * 5, W=WEIGHT)
    assert (state.read("keys").tolist(), state.lengths["T"].tolist(), dict(state.calls)) == before
    scores = program.decode(state, x=x, W=WEIGHT)["s"]
    assert scores.tolist() == [[15.0, 15.0]]


def test_capacities_and_lengths_build_nothing_anew(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from hetc.runtime import csim

    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("a kernel was built after loading")

    monkeypatch.setattr(csim, "build", refuse)
    x = np.ones((2, 4), np.float32)
    for rows, tokens in ((2, 3), (4, 9), (8, 64)):
        state = program.new_state(B=rows, T=tokens)
        state.set_lengths(T=tokens - 1)
        assert program.decode(state, x=x, W=WEIGHT)["s"].shape == (2, tokens)


def test_as_a_script_it_says_what_its_kernels_run_on(program: Any) -> None:
    script = program.directory / "host" / "tiny_host.py"
    done = subprocess.run(
        [sys.executable, str(script), "--mode", "emulation"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["fpga: c-simulation", "gpu: triton-interpreter"]
    bare = subprocess.run(
        [sys.executable, str(script), "--mode", "hardware"], capture_output=True, text=True, check=False
    )
    assert bare.returncode == 1 and "DeviceMissingError" in bare.stderr


def test_read_only_inputs_are_taken_without_a_warning(program: Any, recwarn: pytest.WarningsRecorder) -> None:
    x = np.broadcast_to(np.ones(4, np.float32), (2, 4))
    weight = WEIGHT.copy()
    weight.flags.writeable = False
    program.decode(program.new_state(B=2, T=2), x=x, W=weight)
    assert not [item for item in recwarn if issubclass(item.category, UserWarning)]


def test_two_kernels_that_want_one_memory_in_different_layouts(tmp_path: Path) -> None:
    """The second kernel reads a copy in its own layout, to which only the new rows move."""
    start, stop = STRIPED.index("%s = task.kernel"), STRIPED.index('mp.commit "keys"')
    second = TEXT[TEXT.index("%s = task.kernel") : TEXT.index('mp.commit "keys"')]
    second = second.replace("%s =", "%s2 =").replace("@scan", "@scan_again")
    text = STRIPED[:start] + STRIPED[start:stop] + second + STRIPED[stop:]
    text = text.replace('mp.output "s",', 'mp.output "s2", %s2 as f32 : !mp.tensor<[B, T], f32>\n mp.output "s",')
    write_program(text, tmp_path)
    program = load_program(tmp_path, "emulation")
    moved: list[int] = []
    program.on_transfer = lambda item: moved.append(item.bytes_moved) if item.tensor == "keys" else None
    state = program.new_state(B=2, T=9)
    rng = np.random.default_rng(0)
    for _ in range(5):
        outputs = program.step("decode")(state, x=rng.integers(-3, 4, (2, 4)).astype(np.float32), W=WEIGHT)
        np.testing.assert_array_equal(outputs["s"].numpy(), outputs["s2"].numpy())
        assert outputs["s"].abs().sum() > 0
    assert moved == [2 * 4 * 4] * 5


def test_a_directory_without_a_program(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="no host program"):
        load_program(tmp_path)
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "p_host.py").write_text("x = 1\n")
    with pytest.raises(ProgramError, match="defines no class Program"):
        load_program(tmp_path)


def test_hardware_that_is_asked_for_is_not_emulated(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    write_program(TEXT, tmp_path)
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(DeviceMissingError):
        load_program(tmp_path, "hardware")
