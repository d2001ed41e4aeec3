"""`python -m random_programs.run_many COUNT`, run from tests/: many seeds every way, and a page that sums them up.

Each seed runs on the oracle before and after the normalising passes and when cut into kernels; on a GPU and on an FPGA,
both emulated; and with a device drawn for each stage.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from random_programs.fast_csim import fast_csim
from random_programs.generate import generate
from random_programs.verdict import WAYS, Verdict, judge

PAGE = Path(__file__).parents[2] / "docs" / "random_programs.md"
MOST_REFUSED = 0.1
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
    "mix": "both, each stage's device drawn",
}


def run_many(
    seeds: range, ways: tuple[str, ...] = WAYS, jobs: int = 1, show: bool = False
) -> dict[str, dict[int, Verdict]]:
    """way -> seed -> verdict; with `jobs` processes at once. Of the first seeds alone where it is interrupted."""
    verdicts: dict[str, dict[int, Verdict]] = {way: {} for way in ways}
    # Forked processes build kernels as this one would.
    with fast_csim(), ProcessPoolExecutor(jobs, get_context("fork")) as pool:
        try:
            for seed, found in zip(seeds, pool.map(partial(_judge_every, ways), seeds), strict=True):
                for way, verdict in found.items():
                    verdicts[way][seed] = verdict
                    if show and verdict.kind != "ok":
                        print(f"{seed} {way}: {verdict.kind} {verdict.text}", flush=True)
                if show and seed % 50 == 49:
                    print(f"{seed + 1 - seeds.start} seeds", flush=True)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
    return verdicts


def _judge_every(ways: tuple[str, ...], seed: int) -> dict[str, Verdict]:
    return {way: judge(generate(seed), way) for way in ways}


def summary(verdicts: dict[str, dict[int, Verdict]]) -> str:
    """The page: counts a way, refusals by reason, and every difference or crash with its seed."""
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
    refused = Counter(
        (way, verdict.reason)
        for way, found in verdicts.items()
        for verdict in found.values()
        if verdict.kind == "refused"
    )
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


def failures(verdicts: dict[str, dict[int, Verdict]]) -> list[str]:
    """What a run may not have: differences, crashes, and too many refusals on one way."""
    found = []
    for way, results in verdicts.items():
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
    verdicts = run_many(seeds, tuple(arguments.ways.split(",")), arguments.jobs, show=True)
    arguments.page.write_text(summary(verdicts))
    wrong = failures(verdicts)
    print(summary(verdicts), *wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
