"""A kernel that folds elements by a combiner, whole and in two parts, and the elements that combiners are tried on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from nest_kernels import run
from numpy.typing import NDArray

COUNT, SPLIT, WEIGHTS = 23, 9, 3
ABSENT = -1
INFINITY, NAN = np.float32(np.inf), np.float32(np.nan)

# How a value of each type is made of what is read: floats as they are, the others from an i32.
_VALUES = {
    "f32": "",
    "i32": "",
    "i64": "%value = arith.extsi %raw : i32 to i64",
    "index": "%value = arith.index_cast %raw : i32 to index",
    "i1": "%value = arith.cmpi ne, %raw, %no : i32",
}


def kernel(combiner: str, type: str, gives: Sequence[str], *, place: bool = False, weights: int = 0) -> str:
    """Folds elements [0, COUNT) into one state and, in two parts that are then merged, into others; stores what both
    end as. An element counts where `here` is not 0."""
    stored, size = ("f32" if type == "f32" else "i32"), f", {weights}" if weights else ""
    state = f"!nest.acc<[] of {combiner}<{type}{size}>, reg>"
    taken = "i1" if combiner == "count" else type
    value = "%value" if _VALUES[taken] else "%raw"
    values, types = (f"{value}, %i", f"{taken}, index") if place else (value, taken)
    region = """ weights {
            ^bb0(%v: index):
              %weight = nest.read %w[%i, %v] : !mp.tensor<[COUNT, WEIGHTS], f32> -> f32
              nest.yield %weight : f32
            }"""

    def buffer(element: str) -> str:
        return f"!nest.buf<[2, SIZE] x {element}, global>"

    def loop(name: str, lower: str, upper: str) -> str:
        return f"""
          nest.for %{lower} to %{upper} step 1 : i64 most COUNT : i64 {{
          ^bb0(%i: index):
            %raw = nest.read %x[%i] : !mp.tensor<[COUNT], {stored}> -> {stored}
            {_VALUES[taken]}
            %flag = nest.read %here[%i] : !mp.tensor<[COUNT], i32> -> i32
            %present = arith.cmpi ne, %flag, %no : i32
            nest.fold {values} into %{name}[] if %present{region if weights else ""} : {types} into {state}
          }}"""

    def finish(name: str, which: int) -> str:
        ends = ", ".join(f"%{name}_{number}" for number in range(len(gives)))
        stores = "".join(
            f"\nnest.store %{name}_{number} in %r{number}[%at{which}, %p] : {give}, {buffer(give)}"
            for number, give in enumerate(gives)
        )
        at = " at %p" if weights else ""
        return f"""
          nest.for %zero to %size step 1 : i64 most SIZE : i64 {{
          ^bb0(%p: index):
            {ends} = nest.finish %{name}[]{at} : {state} -> {", ".join(gives)}{stores}
          }}"""

    results = ", ".join(f"%r{number}: {buffer(give)}" for number, give in enumerate(gives))
    text = f"""builtin.module {{
      nest.kernel @k task "k" on "cpu" arguments [] scratch [] {{
      ^bb0(%x: !mp.tensor<[COUNT], {stored}>, %here: !mp.tensor<[COUNT], i32>, %w: !mp.tensor<[COUNT, WEIGHTS], f32>,
           {results}):
        nest.phase {{
          %zero = arith.constant 0 : index
          %at0 = arith.constant 0 : index
          %at1 = arith.constant 1 : index
          %split = arith.constant SPLIT : index
          %end = arith.constant COUNT : index
          %size = arith.constant SIZE : index
          %no = arith.constant 0 : i32
          %whole = nest.acc "whole" : {state}
          %first = nest.acc "first" : {state}
          %second = nest.acc "second" : {state}
          {loop("whole", "zero", "end")}{loop("first", "zero", "split")}{loop("second", "split", "end")}
          nest.merge %second[] into %first[] : {state}, {state}{finish("whole", 0)}{finish("first", 1)}
        }}
      }}
    }}"""
    return (
        text.replace("COUNT", str(COUNT))
        .replace("SPLIT", str(SPLIT))
        .replace("SIZE", str(weights or 1))
        .replace("WEIGHTS", str(WEIGHTS))
    )


WEIGHT = np.random.default_rng(9).normal(size=(COUNT, WEIGHTS)).astype(np.float32)


def ends(
    combiner: str, type: str, x: NDArray, here: NDArray, *, gives: Sequence[str] = (), **options: int | bool
) -> list[NDArray]:
    """What the whole fold and the merged parts end as: [2, sizes] for each value given."""
    text = kernel(combiner, type, gives or [type], **options)  # type: ignore[arg-type]
    return run(text, [x, here.astype(np.int32), WEIGHT])


def floats(seed: int) -> NDArray:
    return np.random.default_rng(seed).normal(size=COUNT).astype(np.float32)


def some(seed: int) -> NDArray:
    return np.random.default_rng(100 + seed).random(COUNT) < 0.7


ALL, NONE = np.ones(COUNT, bool), np.zeros(COUNT, bool)


def planted(*values: float) -> NDArray:
    """Floats with these values among them, before and after the split."""
    x = floats(7)
    for number, value in enumerate(values):
        x[3 + number], x[SPLIT + 2 + number] = value, value
    return x


CASES = [
    *((floats(seed), some(seed)) for seed in range(3)),
    (floats(3), ALL),
    (floats(4), NONE),
    (planted(INFINITY), ALL),
    (planted(-INFINITY), ALL),
    (planted(NAN), ALL),
    (planted(INFINITY, -INFINITY), ALL),
    # The first elements of both parts are -inf: then the largest so far is too.
    (np.where(np.isin(np.arange(COUNT), [0, 1, SPLIT]), -INFINITY, floats(7)), ALL),
    (np.full(COUNT, -INFINITY), ALL),
    (np.full(COUNT, INFINITY), ALL),
    (np.zeros(COUNT, np.float32), some(5)),
    # All of the first part is absent, all of the second.
    (floats(6), np.arange(COUNT) >= SPLIT),
    (floats(6), np.arange(COUNT) < SPLIT),
]
