"""Whether passes of a loop meet: what the rule says against what they touch, on drawn loops."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass

import pytest
from nest_kernels import parsed
from xdsl.utils.exceptions import VerifyException

from hetc.dialects import nest

DRAWN = 400


@dataclass(frozen=True)
class Drawn:
    """A loop over i of `step`, in it one over j from `slope * i` by `inner`, and accesses of two indices
    `a * i + b * j + c` each."""

    step: int
    passes: int
    slope: int
    inner: int
    inner_passes: int
    accesses: tuple[tuple[bool, tuple[tuple[int, int, int], ...]], ...]

    def meets(self) -> bool:
        """Whether a pass writes what another one touches, by carrying all of them out."""
        written, touched = defaultdict(set), defaultdict(set)
        for i in range(0, self.step * self.passes, self.step):
            for j in range(self.slope * i, self.slope * i + self.inner * self.inner_passes, self.inner):
                for writes, indices in self.accesses:
                    place = tuple(a * i + b * j + c for a, b, c in indices)
                    touched[place].add(i)
                    if writes:
                        written[place].add(i)
        return any(len(touched[place]) > 1 for place in written)

    def text(self) -> str:
        ops: list[str] = []
        for number, (writes, indices) in enumerate(self.accesses):
            names = []
            for at, (a, b, c) in enumerate(indices):
                name = f"%n{number}_{at}"
                names.append(name)
                ops += [
                    f"{name}_a = arith.constant {a} : index",
                    f"{name}_b = arith.constant {b} : index",
                    f"{name}_c = arith.constant {c} : index",
                    f"{name}_i = arith.muli %i, {name}_a : index",
                    f"{name}_j = arith.muli {name}_b, %j : index",
                    f"{name}_s = arith.addi {name}_i, {name}_j : index",
                    f"{name} = arith.addi {name}_s, {name}_c : index",
                ]
            place = f"%s[{', '.join(names)}]"
            ops.append(
                f"nest.store %v in {place} : f32, !nest.buf<[999, 999] x f32, global>"
                if writes
                else f"%l{number} = nest.load {place} : !nest.buf<[999, 999] x f32, global> -> f32"
            )
        body = "\n".join(ops)
        return f"""builtin.module {{
          nest.kernel @k task "k" on "cpu" arguments [] scratch [] {{
          ^bb0(%s: !nest.buf<[999, 999] x f32, global>):
            nest.phase {{
              %v = arith.constant 1.0 : f32
              %zero = arith.constant 0 : index
              %end = arith.constant {self.step * self.passes} : index
              %slope = arith.constant {self.slope} : index
              %length = arith.constant {self.inner * self.inner_passes} : index
              nest.for %zero to %end step {self.step} : i64 most {self.passes} : i64 {{
              ^bb0(%i: index):
                %low = arith.muli %i, %slope : index
                %high = arith.addi %low, %length : index
                nest.for %low to %high step {self.inner} : i64 most {self.inner_passes} : i64 {{
                ^bb0(%j: index):
                  {body}
                }}
              }}
            }}
          }}
        }}"""


def drawn(seed: int) -> Drawn:
    random_ = random.Random(seed)
    same = tuple(random_.choice([0, 0, 1, 1, 2, -1]) for _ in range(4))

    def access(number: int) -> tuple[bool, tuple[tuple[int, int, int], ...]]:
        a, b, d, e = same if random_.random() < 0.8 else (random_.choice([0, 1, 2]) for _ in range(4))
        return number == 0 or random_.random() < 0.4, ((a, b, random_.randrange(3)), (d, e, random_.randrange(3)))

    return Drawn(
        random_.choice([1, 1, 2, 4]),
        random_.randrange(1, 5),
        random_.choice([0, 0, 1, 2]),
        random_.choice([1, 1, 2]),
        random_.randrange(1, 5),
        tuple(access(number) for number in range(random_.randrange(1, 4))),
    )


def test_loops_that_are_called_independent_are() -> None:
    """And a good part of those that are is called so."""
    independent, called = 0, 0
    for seed in range(DRAWN):
        case = drawn(seed)
        loop = next(op for op in parsed(case.text()).walk() if isinstance(op, nest.ForOp))
        free, meets = nest.dependence(loop) is None, case.meets()
        assert not (free and meets), (seed, case)
        independent, called = independent + (not meets), called + free
    assert called > 0.4 * independent > 0.1 * DRAWN, (called, independent)


def beside(second: str) -> str:
    """A parallel loop in steps of four, and one behind it that stores at `second`."""
    return f"""builtin.module {{
      nest.kernel @k task "k" on "cpu" arguments [] scratch [] {{
      ^bb0(%x: !mp.tensor<[64], f32>, %s: !nest.buf<[64] x f32, global>):
        nest.phase {{
          %zero = arith.constant 0 : index
          %one = arith.constant 1 : index
          %most = arith.constant 64 : index
          %v = arith.constant 1.0 : f32
          %four = arith.constant 4 : index
          %middle = arith.muli %four, %four : index
          nest.for %zero to %middle step 4 : i64 most 16 : i64 bind <parallel> {{
          ^bb0(%i: index):
            %i1 = arith.addi %i, %one : index
            nest.store %v in %s[%i] : f32, !nest.buf<[64] x f32, global>
            nest.store %v in %s[%i1] : f32, !nest.buf<[64] x f32, global>
          }}
          nest.for %middle to %most step 1 : i64 most 64 : i64 bind <parallel> {{
          ^bb0(%i: index):
            %before = arith.subi %i, %four : index
            nest.store %v in %s[{second}] : f32, !nest.buf<[64] x f32, global>
          }}
        }}
      }}
    }}"""


def test_two_loops_of_one_range_are_independent() -> None:
    """Passes that are left over go on where the others end; what is stored further back may meet."""
    parsed(beside("%i"))
    with pytest.raises(VerifyException, match="used beside it"):
        parsed(beside("%before"))
