"""Tests of this folder need upstream's bindings; without, each is skipped by name."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _bindings() -> None:
    pytest.importorskip("torch_mlir", reason="torch-mlir is not installed: pip install 'hetc[mlir]'")
