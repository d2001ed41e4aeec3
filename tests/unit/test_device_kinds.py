"""Nothing but its manifest, and the files that are a device kind's own, names the kind."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from hetc import devices
from hetc.devices import OWN, DeviceKind, device_kind, manifests, resolve
from hetc.diagnostics import DiagnosticError

ROOT = Path(__file__).parents[2]
FOLDERS = ("compiler", "dialects", "passes", "backends", "hetc")

ROOMS = {
    "cpu": ("backends/cpu/*", "passes/schedule/cpu.py", "hetc/runtime/cpu*.py", "hetc/platforms/cpu.py"),
    "gpu": (
        *("backends/triton/*", "dialects/tile/*", "passes/lower_triton/*", "passes/schedule/gpu*.py"),
        *("hetc/runtime/gpu*.py", "hetc/runtime/triton*.py", "hetc/platforms/gpu.py", "compiler/gpu_builds.py"),
    ),
    "fpga": (
        *("backends/hls/*", "dialects/fpga/*", "passes/lower_hls/*", "passes/schedule/fpga*.py"),
        *("hetc/runtime/fpga*.py", "hetc/runtime/xrt.py", "hetc/runtime/csim*", "hetc/platforms/fpga.py"),
    ),
}
"""What is a kind's own: its manifest leads there, and nothing else does."""

WORDS = re.compile(r"(?<![a-z])(cpu|gpu|fpga|triton|hls|csim|xrt|vitis)s?(?![a-z])", re.IGNORECASE)
CLASSES = re.compile(r"(Cpu|Gpu|Fpga|Triton|Hls|Csim|Xrt|Vitis)(?![a-z])")

PERMITTED = {
    ("hetc/devices.py", "cpu"): "the manifests that come with hetc",
    ("hetc/devices.py", "gpu"): "the manifests that come with hetc",
    ("hetc/devices.py", "fpga"): "the manifests that come with hetc",
    ("hetc/devices.py", "hetc.backends.*.device:DEVICE"): "the manifests that come with hetc",
    ("hetc/runtime/environment.py", "cpu"): "what torch calls a build for processors",
    ("hetc/runtime/environment.py", "installed; a build without GPU support"): "what that build of torch lacks",
    ("hetc/runtime/tensors.py", "cpu"): "a method of torch's tensors",
    ("hetc/runtime/cxx_found.py", "hetc.runtime.csim_*"): "two kinds look for one compiler",
    ("hetc/runtime/cxx_found.py", "kernels of the processor, C simulation of FPGA kernels"): "which two these are",
    ("passes/nest/*", "cpu"): "the default of passes that are told which kinds they are for",
    ("passes/nest/cost.py", "hetc.platforms.cpu"): "counts what a processor takes for loops",
    ("passes/nest/cost.py", "Cpu"): "counts what a processor takes for loops",
    ("dialects/cpp_words.py", "* hls *"): "a namespace of headers that any C++ may include",
    ("backends/host/values.py", "hetc.dialects.tile"): "the form of a grid, which any kind's launch may be told",
}
"""(pattern of the file, pattern of what it says) -> why it may."""

HOW = """
names a device kind, or imports what is one kind's own. Ask `hetc/devices.py` for what is wanted of the kind:
docs/add-a-backend.md lists what a manifest says, and a property (`role`, `everywhere`, `mapped`, ...) is better than a
name. Where any kind may have its own answer, give DeviceKind a field. What is about one kind alone moves to its files
(ROOMS here). Where the name is right as it stands, add it to PERMITTED here, with the reason."""


def is_own(path: str) -> bool:
    """Whether a file is some kind's own."""
    return any(fnmatch(path, pattern) for patterns in ROOMS.values() for pattern in patterns)


def sources() -> Iterator[tuple[str, Path]]:
    """Every file of the product that is no kind's own."""
    for top in FOLDERS:
        for path in sorted((ROOT / top).rglob("*")):
            parts = path.relative_to(ROOT).parts
            through_link = parts[0] == "hetc" and len(parts) > 1 and parts[1] in FOLDERS
            if path.suffix in (".py", ".lark", ".mp", ".tmpl") and not through_link and not is_own("/".join(parts)):
                yield "/".join(parts), path


def is_room(module: str) -> bool:
    """Whether a module is some kind's own."""
    path = module.replace(".", "/")
    inside = path.removeprefix("hetc/") if path.split("/")[1:2] and path.split("/")[1] in FOLDERS else path
    return is_own(f"{inside}.py") or is_own(f"{inside}/__init__.py")


def named(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of what names a kind: text that is no docstring, names in code, imports of a kind's own modules."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    docstrings |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in docstrings:
                if WORDS.search(text) or CLASSES.search(text):
                    yield node.lineno, text
            case ast.ImportFrom(module=str(module)):
                modules = [module] if is_room(module) else [f"{module}.{item.name}" for item in node.names]
                yield from ((node.lineno, item) for item in modules if is_room(item))
            case ast.Import():
                yield from ((node.lineno, item.name) for item in node.names if is_room(item.name))
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
                if WORDS.search(name) or CLASSES.search(name):
                    yield getattr(node, "lineno", 0), name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                if WORDS.search(name) or CLASSES.search(name):
                    yield node.lineno, name


def found_in(path: str, text: str) -> Iterator[tuple[int, str]]:
    if path.endswith(".py"):
        yield from named(ast.parse(text))
    else:
        yield from ((n, line.strip()) for n, line in enumerate(text.splitlines(), 1) if WORDS.search(line))


def test_nothing_else_names_a_kind() -> None:
    found = [(path, line, text) for path, file in sources() for line, text in found_in(path, file.read_text())]
    assert found, "nothing was looked at"
    wrong, used = [], set()
    for path, line, text in found:
        fitting = {
            entry for entry in PERMITTED if fnmatch(path, entry[0]) and fnmatch(text.replace("\n", " "), entry[1])
        }
        wrong += [] if fitting else [f"{path}:{line}: {text!r}"]
        used |= fitting
    assert not wrong, "\n".join([*wrong, HOW])
    assert used == set(PERMITTED), f"take these off PERMITTED, they are gone: {sorted(set(PERMITTED) - used)}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind == 'gpu'", "gpu"),
        ("f'on an {x} FPGA'", " FPGA"),
        ("from hetc.dialects import fpga", "hetc.dialects.fpga"),
        ("from hetc.passes.lower_hls.plan import plan", "hetc.passes.lower_hls.plan"),
        ("import hetc.runtime.csim", "hetc.runtime.csim"),
        ("isinstance(device, Gpu)", "Gpu"),
        ("def cpu_rows(): pass", "cpu_rows"),
    ],
)
def test_a_name_of_a_kind_is_found(text: str, said: str) -> None:
    assert said in [item for _, item in named(ast.parse(text))]


@pytest.mark.parametrize(
    "text", ["'''About GPUs.'''", "# for the fpga\nx = 'highest'", "from hetc.dialects import host"]
)
def test_what_only_explains_or_is_common_is_not(text: str) -> None:
    assert list(named(ast.parse(text))) == []


# Manifests


def names_of(kind: DeviceKind) -> Iterator[str]:
    """Every name of a module or of what is in one."""
    for field in dataclasses.fields(kind):
        value = getattr(kind, field.name)
        if field.name in ("model", "scheduler", "printer", "runtime", "channels", "builds", "detect", "measure"):
            yield from [value] if value else []
        elif field.name in ("passes", "host_passes", "dialects", "checks"):
            yield from value.values()


@pytest.mark.parametrize("kind", sorted(OWN))
def test_what_a_manifest_names_is_there_and_its_own(kind: str) -> None:
    manifest = device_kind(kind)
    assert set(ROOMS) == set(OWN)
    for name in names_of(manifest):
        assert resolve(name) is not None
    owned = [name for name in names_of(manifest) if is_room(name.partition(":")[0])]
    shared = set(names_of(manifest)) - set(owned)
    common = ("hetc.passes.nest.", "hetc.dialects.nest", "hetc.runtime.cxx_found")
    assert all(name.startswith(common) for name in shared), shared


@pytest.mark.parametrize("field", [item.name for item in dataclasses.fields(DeviceKind)])
def test_what_a_manifest_says_is_documented(field: str) -> None:
    assert re.search(rf"^    (\w+, )*{field}\b", DeviceKind.__doc__ or "", re.MULTILINE)
    page = (ROOT / "docs" / "add-a-backend.md").read_text()
    assert field in ("kind", "title") or f"`{field}`" in page


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch):
    """Puts kinds beside hetc's own: by the name of the entry point, what it leads to."""

    def install(*found: tuple[str, object]) -> None:
        kept = EntryPoint.load
        values = {f"elsewhere{n}:{name}": value for n, (name, value) in enumerate(found)}
        points = [EntryPoint(name, f"elsewhere{n}:{name}", devices.GROUP) for n, (name, _) in enumerate(found)]

        def load(entry: EntryPoint) -> object:
            if isinstance(values.get(entry.value), Exception):
                raise values[entry.value]  # type: ignore[misc]
            return values[entry.value] if entry.value in values else kept(entry)

        monkeypatch.setattr(devices, "entry_points", lambda group: points)
        monkeypatch.setattr(EntryPoint, "load", load)
        for function in (devices._entries, devices.device_kind, devices.manifests, devices.device_kinds):
            function.cache_clear()

    yield install
    monkeypatch.undo()
    for function in (devices._entries, devices.device_kind, devices.manifests, devices.device_kinds):
        function.cache_clear()


def made(kind: str, **changes: object) -> DeviceKind:
    """A manifest like the processor's, of another name."""
    own = {"kind": kind, "stage": kind, "prints": {kind: (".txt",)}, "everywhere": False, **changes}
    return dataclasses.replace(resolve(OWN["cpu"]), **own)  # type: ignore[arg-type]


def refusal() -> str:
    with pytest.raises(DiagnosticError) as caught:
        manifests()
    (diagnostic,) = caught.value.diagnostics
    assert (caught.value.exit_code, diagnostic.code) == (3, "HET504")
    assert "uninstall" in (diagnostic.help or "")
    return diagnostic.message


def test_kinds_share_what_is_the_same(installed) -> None:
    installed(("loom", made("loom")))
    assert [item.kind for item in manifests()] == ["gpu", "cpu", "loom", "fpga"]


def test_a_kind_that_two_packages_bring_is_refused(installed) -> None:
    installed(("loom", made("loom")), ("loom", made("loom")))
    assert "two packages bring it, as elsewhere0:loom and elsewhere1:loom" in refusal()
    installed(("gpu", made("gpu")))
    assert "as hetc.backends.triton.device:DEVICE and elsewhere0:gpu" in refusal()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stage": "tile"}, "its stage `tile` is another than that of `gpu`"),
        ({"prints": {"triton": (".py",)}}, "its text form `triton` is another than that of `gpu`"),
        ({"passes": {"bind-parallel": "loom:Pass"}}, "its pass `bind-parallel` is another than that of `cpu`"),
        ({"host_passes": {"lower-to-nest": "loom:Pass"}}, "its pass `lower-to-nest` is another than that of `cpu`"),
        ({"checks": {"g++": "loom:check"}}, "its check `g++` is another than that of `cpu`"),
        ({"dialects": {"nest": "loom:NEST"}}, "its dialect `nest` is another than that of `cpu`"),
    ],
)
def test_a_name_has_one_meaning(installed, changes: dict, said: str) -> None:
    installed(("loom", made("loom", **changes)))
    assert f"the device kind `loom` cannot be used: {said}" == refusal()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("loom", ModuleNotFoundError("No module named 'threads'"), "cannot be imported: No module named 'threads'"),
        ("loom", "a text", "is no manifest of a kind of that name"),
        ("loom", made("wheel"), "is no manifest of a kind of that name"),
        ("host", made("host"), "is no manifest of a kind of that name"),
        ("a-b", made("a-b"), "is no manifest of a kind of that name"),
    ],
)
def test_what_is_no_manifest_is_refused(installed, name: str, value: object, said: str) -> None:
    installed((name, value))
    assert said in refusal()
