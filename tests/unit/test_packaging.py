"""The package is what is on disk: folders, links, entry points, passes; and no method has a name in it."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path, PurePath

import pytest
from xdsl.passes import ModulePass

from hetc.dialects.registry import all_dialects
from hetc.passes.registry import all_passes, class_of, load, module_of

ROOT = Path(__file__).parents[2]
CODE_FOLDERS = ("compiler", "dialects", "passes", "backends")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FLAGS = sorted(all_passes())


def packages_on_disk() -> set[str]:
    """Every folder with an `__init__.py`, by its package name."""
    found = set()
    for top in ("hetc", *CODE_FOLDERS):
        for path in (ROOT / top).rglob("__init__.py"):
            parts = path.parent.relative_to(ROOT).parts
            through_link = parts[0] == "hetc" and len(parts) > 1 and parts[1] in CODE_FOLDERS
            if not through_link:
                found.add(".".join(parts if parts[0] == "hetc" else ("hetc", *parts)))
    return found


def test_the_packages_list_equals_the_folders_on_disk():
    """Without this list a checkout whose links were lost gives a wheel without a compiler, silently."""
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == packages_on_disk()


def test_every_folder_with_code_is_a_package():
    folders = {path.parent for top in ("hetc", *CODE_FOLDERS) for path in (ROOT / top).rglob("*.py")}
    assert {folder for folder in folders if not (folder / "__init__.py").exists()} == set()


@pytest.mark.parametrize("name", CODE_FOLDERS)
def test_the_code_folders_are_linked_into_the_package(name):
    link = ROOT / "hetc" / name
    assert link.is_symlink(), f"hetc/{name} is no link: check out again with symbolic links on"
    assert str(link.readlink()) == f"../{name}"
    assert PROJECT["tool"]["setuptools"]["package-dir"][f"hetc.{name}"] == name


def test_data_files_are_packaged():
    """Each file that is no Python stands under a pattern of its package, or a wheel would lack it."""
    data = PROJECT["tool"]["setuptools"]["package-data"]
    packages = packages_on_disk()
    for top in ("hetc", *CODE_FOLDERS):
        for path in (ROOT / top).rglob("*"):
            if path.is_dir() or "__pycache__" in path.parts or path.suffix == ".py":
                continue
            parts = path.relative_to(ROOT).parts
            full = parts if parts[0] == "hetc" else ("hetc", *parts)
            # The nearest folder that is a package; patterns are relative to it, and `*` stays in one folder.
            depth = max(n for n in range(1, len(full)) if ".".join(full[:n]) in packages)
            package, rest = ".".join(full[:depth]), PurePath(*full[depth:])
            patterns = [*data.get("*", []), *data.get(package, [])]
            matches = [p for p in patterns if p.count("/") == len(rest.parts) - 1 and rest.match(p)]
            assert matches, f"{path} would be missing from a wheel"


@pytest.mark.parametrize("command", ["hetc", "hetc-opt"])
def test_the_commands_exist(command):
    module, _, function = PROJECT["project"]["scripts"][command].partition(":")
    assert callable(getattr(import_module(module), function))


def test_xdsl_finds_our_dialects_and_passes():
    found = [entry for entry in entry_points(group="xdsl.universe") if entry.name == "hetc"]
    assert found, "hetc is not installed: pip install -e ."
    universe = found[0].load()
    assert set(universe.all_dialects) == set(all_dialects())
    assert set(universe.all_passes) == set(FLAGS)


@pytest.mark.parametrize("name", sorted(all_dialects()))
def test_a_dialect_has_the_name_that_it_is_registered_by(name):
    assert all_dialects()[name]().name == name


@pytest.mark.parametrize("flag", FLAGS)
def test_a_pass_is_spelt_alike_four_times(flag):
    """The file `cut_kernels.py`, the class `CutKernelsPass`, the flag `cut-kernels`, the test `cut-kernels.mlir`."""
    pass_class = load(flag)
    assert issubclass(pass_class, ModulePass)
    assert pass_class.__name__ == class_of(flag)
    assert pass_class.name == flag
    module = module_of(flag)
    assert pass_class.__module__ == module
    assert (ROOT / Path(*module.split(".")[1:]).with_suffix(".py")).is_file()
    assert (ROOT / "tests" / "filecheck" / f"{flag}.mlir").is_file()


@pytest.mark.parametrize("flag", FLAGS)
def test_a_pass_says_what_must_hold_before_and_what_holds_after(flag):
    text = load(flag).__doc__ or ""
    assert "Before:" in text
    assert "After:" in text


def test_no_pass_is_left_out_of_the_registry():
    registered = {class_of(flag) for flag in FLAGS}
    for path in (ROOT / "passes").rglob("*.py"):
        for name in re.findall(r"(?m)^class (\w+Pass)\(ModulePass\)", path.read_text()):
            assert name in registered, f"{path.name}: {name} has no flag"


METHODS = "bm25|csa|deepseek|dragin|dsa|flare|hmt|lact|lserve|memagent|moba|nsa|okapi|rag|reranker|seerattention|titans"


def test_no_method_has_a_name_in_the_compiler():
    names = {path.parent.name for path in (ROOT / "examples").glob("*/*.mp")}
    pattern = re.compile(rf"\b({'|'.join(sorted({*METHODS.split('|'), *names}))})\b", re.IGNORECASE)
    files = 0
    for top in ("hetc", *CODE_FOLDERS):
        for path in (ROOT / top).rglob("*"):
            if path.is_file() and path.suffix in (".py", ".lark", ".h", ".cpp", ".tmpl"):
                files += 1
                text = path.read_text()
                found = pattern.search(text)
                assert found is None, f"{path}:{text.count(chr(10), 0, found.start()) + 1}: {found[0]}"
    assert files > 50


PAGES = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_only_files_that_exist(page):
    """Paths in backticks and targets of links; placeholders are in capitals (`passes/FOLDER/your_pass.py`)."""
    text = page.read_text()
    code = re.findall(r"`((?:compiler|dialects|passes|backends|hetc|tests|examples|docs|benchmarks)/[\w./+-]*)`", text)
    paths = [(ROOT, path) for path in code if not re.search(r"[A-Z]{4}|your", path)]
    prose = re.sub(r"(?ms)^```.*?^```|`[^`\n]*`", "", text)  # `sum[d](x)` is no link
    paths += [(page.parent, path) for path in re.findall(r"\]\(([^)#:]+)\)", prose)]
    for base, path in paths:
        assert (base / path).exists(), f"{page.name}: there is no {path}"
