"""The placement that is chosen for every example, against every mix of devices, each compiled with its stages pinned.

    python benchmarks/placements.py [--platform mi210+u55c --platform h200+u55c] [--objective latency] [NAME ...]

For each example at its published size: the chosen plan, and how many times its cost the rule by sparsity and
arithmetic intensity and the best mix have; all by the tool's own estimates, nothing is measured. Exits with 1 where a
mix is cheaper by more than 2 %. On two cores the whole takes some minutes.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from hetc.compiler.driver import Options, lower_source_file
from hetc.diagnostics import DiagnosticError
from hetc.passes.partition.policies import OBJECTIVES
from hetc.passes.partition.search import AS_GOOD
from hetc.platforms import load_platform
from hetc.source import read_source

EXAMPLES = Path(__file__).parents[1] / "examples"
PLATFORMS = ("mi210+u55c", "h200+u55c")


def plans_of(name: str, platform: str, objective: str, pins: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The plans of an example at its published size, by name."""
    file = EXAMPLES / name / "paper.toml"
    dims = tomllib.loads(file.read_text())["dims"] if file.exists() else {}
    options = Options(platform, dims=dims, objective=objective, pins=pins)
    report = lower_source_file(read_source(EXAMPLES / name / f"{name}.mp"), options, until="placed").report
    return {plan["name"]: plan for plan in report["placement"]["plans"]}


def value(plan: dict[str, Any], objective: str) -> float:
    """What plans are compared by; infinite where a plan cannot be compiled."""
    if "refused" in plan:
        return float("inf")
    time_us, energy_mj = float(plan["time_us"]), float(plan["energy_mj"])
    return {"latency": time_us, "energy": energy_mj, "edp": time_us * energy_mj}[objective]


def mixes(name: str, platform: str, objective: str, stages: list[str]) -> Iterator[float]:
    """The cost of every mix, infinite where it cannot be compiled. As in pins, a name is of a stage in every step."""
    for kinds in product(load_platform(platform).kinds, repeat=len(stages)):
        pins = dict(zip(stages, kinds, strict=True))
        try:
            yield value(plans_of(name, platform, objective, pins)["chosen"], objective)
        except DiagnosticError:  # a device cannot run what is pinned to it
            yield float("inf")


def row(name: str, platform: str, objective: str) -> float:
    """Prints one line; gives how many times the best mix's cost the chosen plan has."""
    plans = plans_of(name, platform, objective, {})
    chosen = plans["chosen"]
    cost, rule = value(chosen, objective), value(plans["rule"], objective)
    stages = list(dict.fromkeys(item["stage"] for item in chosen["stages"]))
    best = min(mixes(name, platform, objective, stages))
    devices = ", ".join(f"{item['stage']} {item['device']}" for item in chosen["stages"])
    factor = cost / best
    print(
        f"{name:<24} {platform:<12} {chosen['time_us']:>13,.0f} us {chosen['energy_mj']:>13,.1f} mJ "
        f"{rule / cost:>8.2f}x {factor:>8.3f}x  {devices}",
        flush=True,
    )
    return factor


def main() -> None:
    """Print a line for each example and platform."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--platform", action="append", dest="platforms")
    parser.add_argument("--objective", choices=OBJECTIVES, default=OBJECTIVES[0])
    given = parser.parse_args()
    names = given.names or sorted(path.parent.name for path in EXAMPLES.glob("*/small.toml"))
    print(f"{'':<24} {'':<12} {'chosen':>16} {'':>16} {'the rule':>9} {'over best':>9}")
    found = [row(name, platform, given.objective) for platform in given.platforms or PLATFORMS for name in names]
    sys.exit(int(max(found) > AS_GOOD))


if __name__ == "__main__":
    main()
