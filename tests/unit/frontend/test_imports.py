"""No file of the front end imports one that imports it, whether in a function, for annotations, or in between."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[3] / "compiler"
NAMES = {
    ".".join(("hetc.compiler", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for folder in ("frontend", "embedding")
    for path in sorted((ROOT / folder).rglob("*.py"))
}


def imports(text: str) -> set[str]:
    """The modules that a text imports, wherever the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found.update(item.name for item in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{item.name}" for item in node.names}
            found.update(inner & NAMES.keys())
            if not inner <= NAMES.keys():
                found.add(node.module)
    return found & NAMES.keys()


def test_no_circle() -> None:
    graph = {name: imports(path.read_text(encoding="utf-8")) - {name} for name, path in NAMES.items()}
    assert sum(map(len, graph.values())) > 300
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle
