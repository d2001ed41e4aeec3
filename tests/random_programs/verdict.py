"""One program, one way to run it, one verdict: right, refused, wrong or broken."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from random import Random

from hetc.diagnostics import DiagnosticError
from random_programs.devices import judge_on_devices
from random_programs.oracle import NORMALIZE, judge_when_placed, judge_with_oracle
from random_programs.program import Program
from random_programs.twin import TwinTooLong

STAGES = ("prepare", "relevancy", "retrieve", "apply")
WAYS = ("oracle", "normalized", "placed", "gpu", "fpga", "cpu", "mix", "any")
PLATFORMS = {"gpu": "mi210", "cpu": "cpu", "any": str(Path(__file__).parents[1] / "three_kinds.toml")}
"""Where a way is run, unless it is on mi210+u55c."""
_DRAWN = {"placed": ("gpu", "fpga"), "mix": ("gpu", "fpga"), "any": ("gpu", "fpga", "cpu")}


@dataclass(frozen=True)
class Verdict:
    """kind: ok, refused, mismatch or crash. `reason` names what may count as the same failure again."""

    kind: str
    reason: str = ""
    text: str = ""


def placement(seed: int, way: str) -> dict[str, str]:
    """The device of each stage: one kind for all, or drawn from the seed, all kinds of the way among them."""
    if way not in _DRAWN:
        return dict.fromkeys(STAGES, way)
    random = Random(f"placement {seed}")
    while True:
        pins = {stage: random.choice(_DRAWN[way]) for stage in STAGES}
        if len(set(pins.values())) == len(_DRAWN[way]):
            return pins


def judge(program: Program, way: str, calls: int | None = None) -> Verdict:
    """Run the program that way; whatever happens becomes a verdict."""
    try:
        if way in ("oracle", "normalized"):
            found = judge_with_oracle(program, NORMALIZE if way == "normalized" else (), calls)
        elif way == "placed":
            found = judge_when_placed(program, placement(program.seed, way), calls)
        else:
            platform = PLATFORMS.get(way, "mi210+u55c")
            with tempfile.TemporaryDirectory() as folder:
                pins = placement(program.seed, way)
                found = judge_on_devices(program, pins, Path(folder) / "out", platform, calls)
    except DiagnosticError as error:
        first = error.diagnostics[0]
        return Verdict("refused", f"{first.code}: {_without_names(first.message)}", first.message)
    except TwinTooLong as error:
        return Verdict("refused", str(error), str(error))
    except Exception as error:  # a crash of the compiler, a kernel or the twin is what is looked for here
        return Verdict("crash", type(error).__name__, f"{type(error).__name__}: {error}")
    return Verdict("ok") if found is None else Verdict("mismatch", "mismatch", str(found))


def _without_names(message: str) -> str:
    """A message with quoted names and numbers left out, so that the same reason counts as one."""
    return re.sub(r"\d+", "N", re.sub(r"[`'\"][^`'\"]*[`'\"]", "'...'", message))
