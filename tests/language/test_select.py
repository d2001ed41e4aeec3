"""Which entries of a select stay where more qualify than it has room for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.language.running import WAYS, session_of

TEXT = """
pipeline selecting:
    dim B <= 4
    dim N = 12
    dim J = 2
    input event: i32[B, N]
    input near: i32[B, J]
    input score: f32[B, N]
    retrieve:
        beside[b, c] = select[n](any[j](abs(event[b, n] - near[b, j]) <= 1), capacity=3)
        behind[b, c] = select[n](sum[j](event[b, n] > near[b, j]) == J and score[b, n] > 0, capacity=3)
    output beside, behind
"""


@pytest.mark.parametrize("way", WAYS)
def test_a_comparison_inside_of_a_reduction_decides_nothing(way: str, tmp_path: Path) -> None:
    """The lowest places stay where no comparison is left, else those that fulfil the one that is."""
    rng = np.random.default_rng(1)
    session = session_of(TEXT, way, {"B": 3}, {}, tmp_path)
    for _ in range(3):
        event, near = rng.integers(0, 6, (3, 12)).astype(np.int32), rng.integers(0, 4, (3, 2)).astype(np.int32)
        score = rng.permuted(np.tile(np.arange(-4, 8), (3, 1)), axis=1).astype(np.float32)
        outputs = session.call(event=event, near=near, score=score)
        for b in range(3):
            beside = np.flatnonzero((np.abs(event[b][:, None] - near[b]) <= 1).any(1))[:3]
            behind = np.flatnonzero((event[b] > near[b].max()) & (score[b] > 0))
            behind = np.sort(behind[np.argsort(-score[b][behind])[:3]])
            assert outputs["beside"][b].tolist() == [*beside, *[-1] * (3 - len(beside))]
            assert outputs["behind"][b].tolist() == [*behind, *[-1] * (3 - len(behind))]
