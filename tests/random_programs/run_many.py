"""`python -m random_programs.run_many COUNT`, run from tests/: many seeds every way, and a page that sums them up.

Each seed runs on the oracle before and after the normalising passes and when cut into kernels; on a GPU and on an FPGA,
both emulated, and on the processor; and with a device drawn for each stage.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from random_programs.absence import Crossings, crossings
from random_programs.coverage import held, table
from random_programs.fast_csim import fast_csim
from random_programs.generate import generate
from random_programs.verdict import WAYS, Verdict, judge, placement

PAGE = Path(__file__).parents[2] / "docs" / "random_programs.md"
MOST_REFUSED = 0.1
LEAST_CROSSINGS = {"kernels": 0.2, "devices": 0.1}
"""The part of the programs that carry an absent element through arithmetic between kernels, and between devices."""
LEAST_COUNTED = 100
"""Of fewer programs the parts say little."""
_INTRODUCTION = """\
`python -m random_programs.run_many COUNT`, run from tests/, draws programs from seeds, prints each as `.mp` text and
as an independent twin in plain Python, and compares every element of every call. One seed, shrunk where it fails:
`python -m random_programs SEED --devices mix --shrink`. `make check-full` runs the first 300 seeds.

Of an odd seed whatever can be written in place is; of an even one, what pays."""
_TITLES = {
    "oracle": "oracle, as the front end leaves it",
    "normalized": "oracle, after the normalising passes",
    "placed": "oracle, cut into kernels for both devices",
    "gpu": "GPU, Triton's interpreter",
    "fpga": "FPGA, C simulation",
    "cpu": "processor",
    "mix": "GPU and FPGA, each stage's device drawn",
    "any": "all three, each stage's device drawn",
}


@dataclass
class Run:
    """verdicts: way -> seed -> verdict. crossings: seed -> what absent elements it carries, where it was compiled."""

    verdicts: dict[str, dict[int, Verdict]]
    crossings: dict[int, Crossings] = field(default_factory=dict)


def run_many(seeds: range, ways: tuple[str, ...] = WAYS, jobs: int = 1, show: bool = False) -> Run:
    """With `jobs` processes at once. Of the first seeds alone where it is interrupted."""
    run = Run({way: {} for way in ways})
    # Forked processes build kernels as this one would.
    with fast_csim(), ProcessPoolExecutor(jobs, get_context("fork")) as pool:
        try:
            for seed, (found, carried) in zip(seeds, pool.map(partial(_judge_every, ways), seeds), strict=True):
                if carried is not None:
                    run.crossings[seed] = carried
                for way, verdict in found.items():
                    run.verdicts[way][seed] = verdict
                    if show and verdict.kind != "ok":
                        print(f"{seed} {way}: {verdict.kind} {verdict.text}", flush=True)
                if show and seed % 50 == 49:
                    print(f"{seed + 1 - seeds.start} seeds", flush=True)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
    return run


def _judge_every(ways: tuple[str, ...], seed: int) -> tuple[dict[str, Verdict], Crossings | None]:
    program = generate(seed)
    verdicts = {way: judge(program, way) for way in ways}
    compiled = any(verdicts[way].kind == "ok" for way in ("placed", "mix") if way in verdicts)
    return verdicts, crossings(program, placement(seed, "mix")) if compiled else None


def summary(run: Run) -> str:
    """The page: counts a way, refusals by reason, and every difference or crash with its seed."""
    verdicts = run.verdicts
    seeds = {seed for found in verdicts.values() for seed in found}
    lines = ["# Random programs", "", _INTRODUCTION, ""]
    lines += [
        f"Seeds {min(seeds)} to {max(seeds)}, revision {_revision()}.",
        "",
        "| run on | right | refused | different | crashed |",
        "|---|---|---|---|---|",
    ]
    for way, found in verdicts.items():
        counts = Counter(verdict.kind for verdict in found.values())
        row = [_TITLES[way], *(str(counts[kind]) for kind in ("ok", "refused", "mismatch", "crash"))]
        lines.append(f"| {' | '.join(row)} |")
    kernels, devices = (sum(getattr(one, name) for one in run.crossings.values()) for name in ("kernels", "devices"))
    lines += [
        "",
        f"Of {len(run.crossings)} programs with a device drawn for each stage, {kernels} carry an absent element that",
        f"arithmetic gave from one kernel into another, {devices} from device to device (by the oracle's masks).",
    ]
    refused = Counter(
        (way, verdict.reason)
        for way, found in verdicts.items()
        for verdict in found.values()
        if verdict.kind == "refused"
    )
    lines += ["", *table(held(generate(seed)) for seed in sorted(seeds))]
    if refused:
        lines += ["", "Refused, by reason:", "", "| run on | reason | programs |", "|---|---|---|"]
        lines += [f"| {way} | {reason} | {count} |" for (way, reason), count in refused.most_common()]
    wrong = [
        f"- seed {seed}, {way}: {verdict.text.splitlines()[0][:200]}"
        for way, found in verdicts.items()
        for seed, verdict in found.items()
        if verdict.kind in ("mismatch", "crash")
    ]
    return "\n".join([*lines, *(["", "Differences and crashes:", "", *wrong] if wrong else [])]) + "\n"


def failures(run: Run) -> list[str]:
    """What a run may not have: differences, crashes, and too many refusals on one way; and too few programs that carry
    something absent."""
    found = []
    count = len(run.crossings)
    for name, least in LEAST_CROSSINGS.items():
        carrying = sum(getattr(one, name) for one in run.crossings.values())
        if count >= LEAST_COUNTED and carrying < least * count:
            found.append(f"{carrying} of {count} programs carry an absent element between {name}")
    for way, results in run.verdicts.items():
        found += [
            f"seed {seed}, {way}: {one.text}" for seed, one in results.items() if one.kind in ("mismatch", "crash")
        ]
        refused = sum(one.kind == "refused" for one in results.values())
        if refused > MOST_REFUSED * len(results):
            found.append(f"{way}: {refused} of {len(results)} programs refused")
    return found


def _revision() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    answer = subprocess.run(command, cwd=PAGE.parent, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"


def main() -> int:
    parser = argparse.ArgumentParser(prog="random_programs.run_many", description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=300)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--page", type=Path, default=PAGE)
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.count)
    run = run_many(seeds, tuple(arguments.ways.split(",")), arguments.jobs, show=True)
    arguments.page.write_text(summary(run))
    wrong = failures(run)
    print(summary(run), *wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
