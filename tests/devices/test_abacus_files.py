"""A package with a device kind: pipelines in Python, and platform and device files of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from tests.devices.commands import MIX, PACKAGE, PLATFORM, hetc, verdicts

# In Python

IN_PYTHON = """
import numpy as np
from hetc import f32, hetero_pipeline, le

@hetero_pipeline(platform="desk")
def scaled(x: f32["B", "D"], *, B=le(4), D=8):
    with prepare("abacus"):
        y[b, d] = relu(x[b, d]) + 0.5
    with apply("gpu"):
        z[b] = sum[d](y[b, d] * y[b, d])
    return z
"""


def test_a_python_pipeline_is_placed_compiled_and_called(tmp_path: Path) -> None:
    script = tmp_path / "scaled.py"
    script.write_text(IN_PYTHON)
    cache = str(tmp_path / "cache")
    run = (
        f"sys.path.insert(0, {str(tmp_path)!r}); import scaled, numpy as np; p, x = scaled.scaled, np.ones((3, 8), 'f')"
    )
    text = hetc(main=f"{run}; print(np.asarray(p(p.new_state(), x=x)), p.inspect('prepare'))", HETC_CACHE_DIR=cache)
    assert "[18. 18. 18.]" in text and "==> abacus/prepare.py <==" in text
    refused = hetc("check", script, installed=False, code=1)
    assert "no backend makes programs for a device of kind `abacus`" in refused
    assert "scaled.py:7:" in refused and "installed are gpu, cpu, fpga" in refused


def test_an_edited_package_compiles_anew(tmp_path: Path) -> None:
    """What is cached is of the package as it was."""
    (tmp_path / "scaled.py").write_text(IN_PYTHON)
    copied = shutil.copytree(PACKAGE, tmp_path / "installed", ignore=shutil.ignore_patterns("__pycache__"))
    run = f"sys.path[:0] = [{str(tmp_path)!r}, {str(copied)!r}]; import scaled; print(scaled.scaled.inspect('prepare'))"
    cache = str(tmp_path / "cache")
    assert "# Kernel prepare" in hetc(main=run, installed=False, HETC_CACHE_DIR=cache)
    printer = copied / "hetc_abacus" / "printer.py"
    printer.write_text(printer.read_text().replace("# Kernel", "# A kernel"))
    assert "# A kernel prepare" in hetc(main=run, installed=False, HETC_CACHE_DIR=cache)


# Platform and device files of its own


def test_its_platforms_are_listed_shown_and_suggested() -> None:
    listed = {row["name"]: row for row in json.loads(hetc("platform", "list", "--json"))}
    assert listed[PLATFORM] == {
        "name": "desk", "title": "A GPU and an abacus", "devices": ["gpu", "abacus"], "from": "abacus",
    }  # fmt: skip
    assert listed["mi210+u55c"]["from"] == "hetc"
    assert re.search(r"^desk .* abacus *$", hetc("platform", "list"), re.MULTILINE)
    text = hetc("platform", "show", "abacus")
    assert re.search(r"wood +beech", text) and re.search(r"beads_a_rod +250,000,000 +derived: beads over rods", text)
    assert "did you mean `desk`?" in hetc("platform", "show", "dest", code=2)
    without = hetc("platform", "show", PLATFORM, installed=False, code=2)
    assert "no platform is called `desk`" in without
    assert "from" not in hetc("platform", "list", installed=False).splitlines()[0].split()


def test_a_file_of_ones_own_takes_its_device_by_name(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('title = "mine"\n[devices]\nabacus = "abacus"\n[devices.gpu]\nbase = "mi210"\n')
    assert verdicts(hetc("run", MIX, "-p", mine, "--check"))["retrieve"][0] == "abacus"


def test_auto_takes_it_where_it_is_found(tmp_path: Path) -> None:
    program = tmp_path / "mix.mp"
    program.write_text(MIX.read_text().replace(" @abacus", "").replace(" @gpu", ""))
    here = {"HETC_CACHE_DIR": str(tmp_path / "cache")}  # where nothing was measured
    assert {row[0] for row in verdicts(hetc("run", program, "--check", ABACUS="1", **here)).values()} >= {"abacus"}
    assert hetc("platform", "show", "auto", ABACUS="1", **here).startswith("abacus: an abacus")
    assert "abacus" not in {row[0] for row in verdicts(hetc("run", program, "--check", **here)).values()}


@pytest.fixture
def twice(tmp_path: Path) -> Path:
    """The folder of a package with a kind of its own that brings files named as others are."""
    package, info = tmp_path / "hetc_slide", tmp_path / "hetc_slide-0.1.dist-info"
    (package / "files" / "devices").mkdir(parents=True)
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hetc-slide\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[hetc.devices]\nslide = hetc_slide:DEVICE\n")
    (package / "__init__.py").write_text(
        "from dataclasses import replace\nfrom hetc_abacus.device import DEVICE as other\n"
        "DEVICE = replace(other, kind='slide', stage='slide', prints={}, platforms='hetc_slide:files')\n"
    )
    own = PACKAGE / "hetc_abacus" / "platforms"
    (package / "files" / "desk.toml").write_text((own / "desk.toml").read_text().replace("an abacus", "another"))
    (package / "files" / "devices" / "mi210.toml").write_text((own / "devices" / "abacus.toml").read_text())
    return tmp_path


def test_a_name_that_two_packages_bring_is_refused_where_it_is_used(twice: Path) -> None:
    path = os.pathsep.join([str(twice), str(PACKAGE), os.environ.get("PYTHONPATH", "")])
    text = hetc("compile", MIX, "-p", "desk", "-o", twice / "out", code=2, PYTHONPATH=path)
    assert "error[HET425]: 2 installed files describe a platform `desk`" in text
    assert f"device kind abacus: {PACKAGE}/hetc_abacus/platforms/desk.toml" in text
    assert f"device kind slide: {twice}/hetc_slide/files/desk.toml" in text
    assert "give the path of the one that is meant" in text
    text = hetc("platform", "show", "mi210", code=2, PYTHONPATH=path)
    assert "2 installed files describe a device `mi210`" in text and "hetc itself: " in text
    assert "abacus: an abacus" in hetc("platform", "show", "abacus", PYTHONPATH=path)


def test_a_folder_of_platforms_that_was_not_packaged_is_told(twice: Path) -> None:
    shutil.rmtree(twice / "hetc_slide" / "files")
    path = os.pathsep.join([str(twice), str(PACKAGE), os.environ.get("PYTHONPATH", "")])
    text = hetc("platform", "list", code=2, PYTHONPATH=path)
    assert "the platform files of device kind `slide` are not there" in text
    assert "`hetc_slide` has to hold the folder `files` as package data" in text
