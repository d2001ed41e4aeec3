"""Rows appended along any extent, one or several at a time, to rows of different lengths."""

from __future__ import annotations

import numpy as np
import pytest

from hetc.runtime.appending import Append
from hetc.runtime.buffers import Stripes, allocate
from hetc.runtime.devices import HostDevice
from hetc.runtime.fpga import CsimDevice

CAPACITY = {"B": 3, "T": 9, "U": 9, "C": 4}
BEFORE = {"B": np.array([2]), "T": np.array([4, 0, 6]), "U": np.array([5]), "C": np.array([3])}
PERS = {"T": "B"}


def shape_of(extents: tuple[int | str, ...]) -> tuple[int, ...]:
    return tuple(CAPACITY[item] if isinstance(item, str) else item for item in extents)


@pytest.mark.parametrize(
    ("extents", "along"),
    [
        (("B", "T", 2), "T"),
        (("B", 3, "T", 2), "T"),
        (("B", "T"), "T"),
        (("U", 2), "U"),
        (("U",), "U"),
        (("B", "U", 2), "U"),
        (("U", "B", 2), "U"),
        (("B", 2, "U"), "U"),
    ],
)
@pytest.mark.parametrize(("form", "growth"), [("row", 1), ("rows", 1), ("rows", 2), ("rows", "C")])
@pytest.mark.parametrize("striped", [False, True])
def test_append_rows(extents: tuple[int | str, ...], along: str, growth: int | str, form: str, striped: bool) -> None:
    position = extents.index(along)
    inner = (growth,) if form == "rows" else ()
    added = int(BEFORE["C"][0]) if growth == "C" else int(growth)
    active = np.arange(3) < 2 if along in PERS else np.ones(1, bool)
    during = {**BEFORE, along: BEFORE[along] + added * active}
    device = CsimDevice() if striped else HostDevice()
    stripes = Stripes(4, position) if striped else None
    memory = allocate(device, extents, shape_of(extents), "i32", stripes)
    rows_extents = extents[:position] + inner + extents[position + 1 :]
    rows = allocate(HostDevice(), rows_extents, shape_of(rows_extents), "i32")
    rng = np.random.default_rng(0)
    old = rng.integers(1, 100, memory.shape).astype(np.int32)
    new = rng.integers(100, 200, rows.shape).astype(np.int32)
    memory.write_rows(np.arange(old.size // memory.row_elements), old.reshape(-1, memory.row_elements))
    rows.write_rows(np.arange(new.size // rows.row_elements), new.reshape(-1, rows.row_elements))

    Append(memory, rows, along, growth, PERS)(BEFORE, during, during[along] - BEFORE[along])

    expected = np.moveaxis(old.copy(), position, 0)
    wide = np.moveaxis(new if form == "rows" else np.expand_dims(new, position), position, 0)
    batch = [item for item in extents if item != along].index("B") if "B" in extents else None
    for row in range(2 if batch is not None else 1):
        at: tuple[object, ...] = () if batch is None else (slice(None),) * batch + (row,)
        start = int(BEFORE[along][row if along in PERS else 0])
        for step in range(added):
            expected[(start + step, *at)] = wide[(step, *at)]
    held = memory.read_rows(np.arange(old.size // memory.row_elements)).reshape(old.shape)
    np.testing.assert_array_equal(np.moveaxis(held, position, 0), expected)
