"""Options of the test run, and how it builds kernels."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest
from csim_builds import mixed_builds
from hypothesis import HealthCheck, settings

# Several workers share the cores: threads that wait for each other would take most of the time. Before OpenMP loads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The compiler makes many objects and drops few: at Python's threshold a fifth of the time goes into looking for cycles.
gc.set_threshold(50_000, 20, 20)

# How busy the machine is decides no test.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", default=False, help="write what was found as what is expected"
    )


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether pinned files are rewritten instead of compared."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(scope="session", autouse=True)
def _mixed_builds() -> Iterator[None]:
    with mixed_builds():
        yield
