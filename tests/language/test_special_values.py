"""Every floating-point function at the edges of its arguments, executed every way, against numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hetc.source import SourceFile
from tests.language.running import WAYS, session_of
from tests.language.special_values import CASES, F32, GIVEN, differences, program


def compare(outputs: dict[str, np.ndarray], dtype: type) -> None:
    assert outputs.keys() == CASES.keys()
    found = [line for name in CASES for line in differences(name, outputs[name], dtype)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("way", WAYS)
def test_numpy_says_the_same(way: str, tmp_path: Path) -> None:
    session = session_of(program(), way, {}, {}, tmp_path)
    compare(session.call(**GIVEN), np.float64 if way.startswith("oracle") else F32)


def test_upstream_says_the_same() -> None:
    pytest.importorskip("torch_mlir", reason="torch-mlir is not installed: pip install 'hetc[mlir]'")
    from tests.upstream.executing import UpstreamSession, expanded

    session = UpstreamSession(expanded(SourceFile("special_values.mp", program())), {}, {})
    compare(session.call(**GIVEN), F32)
