"""Generated programs on this processor beside what a user could run instead, one run, one table.

    pip install -e '.[bench]'
    python benchmarks/cpu.py [--only NAME] [--threads 1 --threads 2] [--seconds 1.0] [--page FILE] [--json FILE]

Each row is run in a process of its own. Our program and its peers take turns; the time is the median of them, of the
whole call, host code included: of processor time with one thread, of wall time with several. `share` is the floor over
our time: what must be read, at the speed at which this machine reads, or the operations at the peak of the units that
the dtype has (`hetc platform measure`), whichever takes longer. Every answer is compared before it is timed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from processor import attention, scans, search
from processor.page import HEADINGS, cells, page
from processor.roof import Roof, machine_title, measured_roof
from processor.work import Work
from rich.console import Console
from rich.table import Table

LIBRARIES = ("numpy", "torch", "faiss-cpu", "numba", "bm25s")
LEAST_TURNS, MOST_TURNS = 5, 200


def all_works() -> dict[str, Callable[[], Work]]:
    """By name; making one takes seconds."""
    makers = [*scans.works(), *attention.works(), *search.works()]
    return {getattr(maker, "func", maker).__name__ + "".join(f"-{item}" for item in getattr(maker, "args", ())): maker
            for maker in makers}  # fmt: skip


def ours(work: Work, threads: int) -> Callable[[], Any]:
    """A call of the compiled pipeline, as a user makes it."""
    from hetc.compiler.compile_cache import compiled_directory
    from hetc.compiler.driver import Options
    from hetc.runtime.program import load_program
    from hetc.source import SourceFile

    source = SourceFile(f"{work.program.split()[1].rstrip(':')}.mp", work.program)
    directory = compiled_directory(source, Options("cpu", dims=dict(work.dims)))
    program = load_program(directory, device_options={"cpu": {"threads": threads}})
    state = program.new_state(**{dim: size for dim, size in work.dims.items() if dim in program.PIPELINE.state_dims})
    for name, contents in work.memories.items():
        state.load(name, contents, work.lengths.get(name))
    step = program.step(next(iter(program.PIPELINE.steps)))
    return lambda: work.answer(step(state, **work.tensors))


def measure(name: str, threads: int, seconds: float) -> dict[str, Any]:
    """One row: microseconds by way, and what was left out."""
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    work = all_works()[name]()
    ways, skipped = {"hetc": ours(work, threads)}, {}
    mine = np.asarray(ways["hetc"]())
    for peer in work.peers:
        try:
            run = peer.make(threads)
        except ImportError as error:
            skipped[peer.name] = f"not installed: {error.name}"
            continue
        if peer.same is not None and not peer.same(mine, np.asarray(run())):
            skipped[peer.name] = "another answer"
            continue
        ways[peer.name] = run
    clock = time.process_time if threads == 1 else time.perf_counter
    times: dict[str, list[float]] = {way: [] for way in ways}
    began = time.perf_counter()
    while (turns := len(times["hetc"])) < LEAST_TURNS or (
        turns < MOST_TURNS and time.perf_counter() - began < seconds * len(ways)
    ):
        for way, run in ways.items():
            start = clock()
            run()
            times[way].append((clock() - start) * 1e6)
    return {
        "name": work.name,
        "threads": threads,
        "us": {way: statistics.median(found) for way, found in times.items()},
        "least_us": {way: min(found) for way, found in times.items()},
        "skipped": skipped,
        "reads_bytes": work.reads_bytes,
        "flop": work.flop,
        "bound_by": work.bound_by,
    }


def report(rows: list[dict[str, Any]], roofs: dict[int, Roof]) -> Table:
    """Ratios above 1 say that ours is faster."""
    table = Table(title=f"{machine_title()}, {roofs_text(roofs)}")
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in ("work", "best peer", "others, ms") else "right")
    for row in rows:
        table.add_row(*cells(row, roofs))
    return table


def roofs_text(roofs: dict[int, Roof]) -> str:
    """What was measured of this machine."""
    return "; ".join(
        f"{threads} thread{'s' * (threads > 1)}: {roof.read_gbs:.1f} GB/s, {roof.gflops:.0f} GFLOP/s in f32"
        for threads, roof in roofs.items()
    )


def versions() -> dict[str, str]:
    """Of the libraries that are compared with."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", help="a row (default: all): " + ", ".join(all_works()))
    parser.add_argument("--threads", type=int, action="append", help="default: 1, and all cores")
    parser.add_argument("--seconds", type=float, default=1.0, help="least time for each way of a row")
    parser.add_argument("--json", type=Path, help="also write the figures to a file")
    parser.add_argument("--page", type=Path, help="also write the table as a page")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(measure(arguments.row, arguments.threads[0], arguments.seconds)))
        return
    counts = arguments.threads or sorted({1, torch.get_num_threads()})
    roofs, rows, console = {threads: measured_roof(threads) for threads in counts}, [], Console(width=180)
    for name in arguments.only or all_works():
        for threads in counts:
            command = [sys.executable, __file__, "--row", name, "--threads", str(threads)]
            done = subprocess.run([*command, "--seconds", str(arguments.seconds)], capture_output=True, text=True)
            if done.returncode != 0:
                console.print(f"{name}, {threads} threads: failed\n{done.stderr[-2000:]}", markup=False)
                continue
            rows.append(json.loads(done.stdout.splitlines()[-1]))
    console.print(report(rows, roofs))
    console.print(", ".join(f"{name} {found}" for name, found in versions().items()))
    if arguments.page:
        arguments.page.write_text(page(rows, roofs, machine_title(), os.cpu_count() or 1, versions()))
    if arguments.json:
        found = {str(threads): vars(roof) for threads, roof in roofs.items()}
        arguments.json.write_text(json.dumps({"roofs": found, "versions": versions(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
