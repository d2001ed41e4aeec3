"""A device kind in a package of its own: found by its entry point, with no line of the compiler for it.

Every command runs in a process of its own, on whose path the package is."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hetc import devices
from tests.devices.commands import MIX, OPT, PACKAGE, PLATFORM, STAGES, hetc, verdicts


def test_the_package_knows_no_other_backend() -> None:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [item.name for item in node.names] if isinstance(node, ast.Import) else []
            assert not any(name.startswith("hetc.backends") for name in names), path


def test_stages_pinned_in_a_mix_with_the_gpu() -> None:
    rows = verdicts(hetc("run", MIX, "-p", PLATFORM, "--check"))
    devices = {stage: row[:2] for stage, row in rows.items()}
    assert devices["prepare"] == devices["retrieve"] == ["abacus", "abacus"]
    assert devices["relevancy"] == devices["apply"] == ["gpu", "triton-interpreter"]


def test_all_of_it_on_the_new_kind(tmp_path: Path) -> None:
    """Pins on the command line, where the file has none."""
    program = tmp_path / "mix.mp"
    program.write_text(MIX.read_text().replace(" @abacus", "").replace(" @gpu", ""))
    pins = [f"--pin={stage}=abacus" for stage in STAGES]
    rows = verdicts(hetc("run", program, "-p", PLATFORM, "--check", *pins))
    assert {stage: rows[stage][0] for stage in STAGES} == dict.fromkeys(STAGES, "abacus")


def test_stages_on_three_kinds(tmp_path: Path) -> None:
    """Devices by the names of their files, hetc's own and the package's."""
    program = tmp_path / "mix.mp"
    program.write_text(MIX.read_text().replace("apply @gpu", "apply @fpga"))
    rows = verdicts(hetc("run", program, "-p", "mi210+u55c+abacus", "--check"))
    assert [rows[stage][0] for stage in STAGES] == ["abacus", "gpu", "abacus", "fpga"]


def test_a_work_directory_runs_with_its_package_only(tmp_path: Path) -> None:
    out = tmp_path / "out"
    hetc("compile", MIX, "-p", PLATFORM, "-o", out)
    assert verdicts(hetc("run", out, "--check"))["retrieve"][0] == "abacus"
    text = hetc("run", out, installed=False, code=2)
    assert "no platform is called `desk`" in text and "install the package that brings it" in text
    program = f"import runpy; runpy.run_path({str(out / 'host' / 'mix_host.py')!r}, run_name='__main__')"
    assert "gpu: triton-interpreter" in hetc(main=program)
    assert "no device kind 'abacus' is installed; installed are" in hetc(main=program, installed=False, code=1)


def test_a_kernel_that_it_refuses_goes_elsewhere(tmp_path: Path) -> None:
    """A form that it does not have is its scheduler's to refuse: the reason stands at the line."""
    program = tmp_path / "mix.mp"
    program.write_text(MIX.read_text().replace("relu(x[b, d])", "tanh(x[b, d])"))
    text = hetc("compile", program, "-p", PLATFORM, "-o", tmp_path / "out", code=1)
    assert "an abacus has no form for math.tanh" in text
    program.write_text(program.read_text().replace("prepare @abacus", "prepare"))
    assert verdicts(hetc("run", program, "-p", PLATFORM, "--check"))["prepare"][0] == "gpu"


def test_it_is_explained_and_its_text_is_shown(tmp_path: Path) -> None:
    """An estimate of no energy is compared by time alone."""
    text = " ".join(hetc("explain", MIX, "-p", PLATFORM).split())
    assert re.search(r"Everything on the gpu would take \S+ of the time and \S+ of the energy\.", text)
    assert re.search(r"Everything on the abacus would take \S+ of the time\.", text)
    assert "fullest channel" in text and re.search(r"abacus .* of 250 MB in \d", text)
    assert "for b_" in hetc("compile", MIX, "-p", PLATFORM, "--emit", "beads")
    assert 'nest.kernel @retrieve task "retrieve" on "abacus"' in hetc(
        "compile", MIX, "-p", PLATFORM, "--emit", "abacus"
    )
    out = tmp_path / "out"
    hetc("compile", MIX, "-p", PLATFORM, "-o", out)
    assert (out / "abacus" / "retrieve.py").is_file()
    rows = [line.split() for line in hetc("inspect", out, "--no-build").splitlines()]
    (row,) = (row for row in rows if row[:2] == ["retrieve", "abacus"])
    assert row[4] == "lines" and int(row[3]) > 10


def test_its_host_program_takes_its_options(tmp_path: Path) -> None:
    out = tmp_path / "out"
    hetc("compile", MIX, "-p", PLATFORM, "-o", out)
    environment = {**os.environ, "PYTHONPATH": f"{PACKAGE}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, str(out / "host" / "mix_host.py")]
    for options, code in ((["--speed", "9"], 0), (["--xclbin", "x"], 2)):
        done = subprocess.run([*command, *options], capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == code, done.stderr
        assert ("abacus: abacus" in done.stdout) == (code == 0)
    assert "An abacus is moved by hand." in (out / "host" / "mix_host.py").read_text()


def test_the_doctor_looks_for_what_it_needs() -> None:
    (row,) = (line for line in hetc("doctor").splitlines() if line.split()[:2] == ["ok", "beads"])
    assert row.endswith("running kernels of an abacus")
    assert "beads" not in hetc("doctor", installed=False)


@pytest.mark.parametrize("pinned", ["in the file", "on the command line"])
def test_a_pin_on_a_kind_that_is_not_installed_lists_those_that_are(pinned: str, tmp_path: Path) -> None:
    program, out = tmp_path / "mix.mp", tmp_path / "out"
    if pinned == "in the file":
        program.write_text(MIX.read_text())
        text = hetc("compile", program, "-p", "mi210", "-o", out, installed=False, code=1)
    else:
        program.write_text(MIX.read_text().replace(" @abacus", ""))
        text = hetc("compile", program, "-p", "mi210", "-o", out, "--pin=prepare=abacus", installed=False, code=2)
    assert "abacus" in text
    assert "installed are gpu, cpu, fpga" in text


def test_hetcs_own_kinds_do_not_hang_on_its_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout may be newer than what was installed from it."""
    monkeypatch.setattr(devices, "entry_points", lambda group: ())
    assert sorted(devices._entries.__wrapped__()) == sorted(devices.OWN)


# What its own compiler makes of functions


def test_what_its_compiler_makes_of_it_is_inspected(tmp_path: Path) -> None:
    out = tmp_path / "out"
    hetc("compile", MIX, "-p", PLATFORM, "-o", out)
    text = hetc("inspect", out)
    assert "GPU functions as Triton compiles them" in text
    assert re.search(r"Kernels as Python compiles them:\n.*names.*\n.*\nprepare +wood +\d+ +ok\nretrieve +wood", text)
    assert "there is no ivory" in hetc("inspect", out, "retrieve", "--target", "ivory")
    listed = re.search(r"valid targets: (.*)", hetc("inspect", out, "--target", "tin", code=2))
    assert listed is not None and listed[1].split(", ")[-2:] == ["wood", "ivory"]
    rows = json.loads(hetc("inspect", out, "retrieve", "--json", "-q"))
    assert [build["kernel"] for build in rows[0]["builds"]] == ["retrieve"]


# hetc-opt


def test_its_passes_and_its_text_are_those_of_hetc_opt() -> None:
    placed = hetc("compile", MIX, "-p", PLATFORM, "--emit", "placed")
    lowered = hetc("-p", "lower-to-abacus", main=OPT, given=placed)
    assert lowered.count('on "abacus" arguments') == 2
    printed = hetc("-p", "lower-to-abacus", "-t", "beads", main=OPT, given=placed)
    assert printed.startswith("==> abacus/prepare.py <==\n# Kernel prepare, from ")
    refused = hetc("-p", "lower-to-abacus", main=OPT, given=placed, installed=False, code=1)
    assert "Unrecognized passes: ['lower-to-abacus']" in refused
