"""The Python of docs/python.md runs as it stands there."""

from __future__ import annotations

import linecache
import re
from pathlib import Path

import numpy as np
import pytest

PAGE = Path(__file__).parents[3] / "docs" / "python.md"


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HETC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"(?ms)^```python\n(.*?)^```", PAGE.read_text())
    assert len(blocks) == 3
    namespace: dict = {}
    for number, block in enumerate(blocks):
        name = f"<page-{number}>"
        linecache.cache[name] = (len(block), None, block.splitlines(True), name)
        exec(compile(block, name, "exec"), namespace)
    assert sorted(namespace["picked"][0].tolist()) == [-1, -1, 0, 1]  # two calls, a row each
    np.testing.assert_array_equal(namespace["o"].float().numpy(), np.ones((2, 8)))
    assert (tmp_path / "out" / "attend" / "manifest.json").exists()
