"""Sizes that no machine has are refused before anything is drawn, and long runs are said to be long."""

from __future__ import annotations

from pathlib import Path

import pytest

from hetc.compiler.cli import app
from hetc.compiler.frontend import compile_source
from hetc.compiler.verify import room
from hetc.compiler.verify.extents import Extents
from hetc.diagnostics import DiagnosticError
from hetc.source import SourceFile

PROGRAM = """pipeline p:
    dim E = 1024
    dim F = 64
    dim N <= 4096
    input x: f32[N, E]
    weight w: i8[E, F]
    apply:
        y[n, f] = sum[e](x[n, e] * f32(w[e, f]))
    output y
"""
EXTENTS = Extents({"N": 100}, {})
# Each element as it is stored, and as a float64: two calls' x, w, and y.
NEEDED = 2 * 100 * 1024 * 12 + 1024 * 64 * 9 + 100 * 64 * 12


def test_what_a_run_keeps_is_added_up() -> None:
    module = compile_source(SourceFile("p.mp", PROGRAM))
    room.check_room(module, EXTENTS, 2, True, NEEDED)
    room.check_room(module, EXTENTS, 2, True, None)
    with pytest.raises(DiagnosticError) as caught:
        room.check_room(module, EXTENTS, 2, True, NEEDED - 1)
    assert caught.value.exit_code == 3
    (found,) = caught.value.diagnostics
    assert found.code == "HET503"
    assert found.message == (
        "a run takes about 3.12 MB of memory, this machine has 3.12 MB left: "
        "x 2.46 MB (f32[100, 1024]), w 590 kB (i8[1024, 64]), y 76.8 kB (f32[100, 64])"
    )
    assert found.help == "smaller dims take less: E is 1,024, N is 100, F is 64; -D E=64 --extent N=50 -D F=32"


def test_a_sparse_memory_holds_as_much_as_it_may_or_has_places_for() -> None:
    text = "pipeline p:\n    dim V = 1000\n    dim N <= 4096\n    input q: i32\n"
    text += "    memory tf: sparse u8[V, N] stored <= {}\n    apply:\n        y[n] = f32(tf[q, n])\n    output y\n"
    others = 12 + 100 * 12
    for stored, entries in ((2**31, 100_000), (500, 500)):
        module = compile_source(SourceFile("p.mp", text.format(stored)))
        for check, dense in ((True, 800_000), (False, 0)):
            needed = others + entries * (1 + 4 + 8) + dense
            room.check_room(module, EXTENTS, 1, check, needed)
            with pytest.raises(DiagnosticError):
                room.check_room(module, EXTENTS, 1, check, needed - 1)


def test_a_long_run_is_said_to_be_long(monkeypatch: pytest.MonkeyPatch) -> None:
    module = compile_source(SourceFile("p.mp", PROGRAM))
    assert room.long_run(module, EXTENTS, 2, True) is None
    # Of an element of the sum: reads, conversion, product and yield; the reduction and the end for each of y.
    operations = 2 * 100 * 64 * (1024 * 5 + 2)
    monkeypatch.setattr(room, "OPERATIONS_PER_S", {True: operations / 7200, False: operations / 1200})
    said = room.long_run(module, EXTENTS, 2, True)
    assert said is not None
    assert said.startswith("emulating 7e+07 operations takes about 2 hours (a rough estimate); smaller dims take less")
    said = room.long_run(module, EXTENTS, 2, False)
    assert said is not None and said.startswith("running and checking") and "about 20 minutes" in said


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "p.mp"
    path.write_text(PROGRAM)
    huge = [str(path), "-D", f"E={2**18}", "-D", f"F={2**17}"]
    assert app.run(["run", *huge, "-p", "mi210"]) == 3
    err = capsys.readouterr().err
    assert "w 309 GB (i8[262144, 131072])" in err
    assert "-D E=64" in err
    assert app.run(["check", *huge]) == 0


def test_what_the_system_says_of_its_memory(tmp_path: Path) -> None:
    assert room.available_bytes(tmp_path) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal:  100 kB\nMemFree: 1 kB\nMemAvailable:   40 kB\n")
    assert room.available_bytes(tmp_path) == 40 * 1024
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.current").write_text("1000\n")
    (group / "memory.max").write_text("max\n")
    assert room.available_bytes(tmp_path) == 40 * 1024
    (group / "memory.max").write_text("3000\n")
    assert room.available_bytes(tmp_path) == 2000
