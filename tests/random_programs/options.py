"""How a random program is compiled."""

from __future__ import annotations

from collections.abc import Mapping

from hetc.compiler.driver import Options
from random_programs.program import Program

EVERYTHING = {"scatter-update": {"least": -(2**62)}}


def options_of(program: Program, pins: Mapping[str, str], platform: str) -> Options:
    """Stages of the program pinned. One of an odd seed writes in place whatever it can, another what pays."""
    stages = {name for step in program.steps for name in step.stage_names}
    pinned = {stage: kind for stage, kind in pins.items() if stage in stages}
    return Options(platform, pins=pinned, passes=EVERYTHING if program.seed % 2 else {})
