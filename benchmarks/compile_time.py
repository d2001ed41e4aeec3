"""Processor time and peak memory of the compiler itself: medians of five runs, each in a fresh process.

    python benchmarks/compile_time.py [--runs 5] [--json]

Measured: `hetc check`, `hetc compile` and `hetc explain` of an example at its full size, and compiling of generated
pipelines: chains of statements that each read the one before, and mixed ones with scans and selections. The ratio of
500 statements to 250 shows how compiling grows. Processes are started cold (imports included), as a user's are. On two
cores the whole takes some minutes; on busy ones the times are longer.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "dsa"
SIZES = (250, 500)
LONGEST_CHAIN = 1500


@dataclass(frozen=True)
class Measurement:
    """One command, run several times; seconds of user and system time. `peak_mib`: the largest resident set."""

    name: str
    median_s: float
    fastest_s: float
    slowest_s: float
    peak_mib: float


def measure(name: str, arguments: list[str], runs: int) -> Measurement:
    """Run `hetc ARGUMENTS` `runs` times. Raises RuntimeError where it fails."""
    print(f"{name} ...", file=sys.stderr)
    command = [sys.executable, "-c", "from hetc.compiler.cli import main; main()", *arguments]
    results = [_run(command) for _ in range(runs)]
    times = [seconds for seconds, _ in results]
    return Measurement(name, statistics.median(times), min(times), max(times), max(peak for _, peak in results))


def _run(command: list[str]) -> tuple[float, float]:
    """Processor time (s) and peak resident set (MiB) of one process."""
    # As a user's: what Python has compiled of the package is kept, whatever this environment says.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{said.decode(errors='replace')}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024  # kilobytes on Linux


def generated(statements: int) -> str:
    """A pipeline with that many statements over a handful of shapes: elementwise, products, scans, selections.

    Each group of five makes a new query, scores the memory with it and selects; the groups hang together.
    """
    lines = [
        "pipeline generated grows T by 1:",
        "    dim B <= 16",
        "    dim T <= 65536 per B",
        "    dim D = 64",
        "    dim K = 16",
        "    input x: f32[B, D]",
        "    weight W: f32[D, D]",
        "    memory keys: f32[B, T, D]",
        "    prepare:",
        "        append(keys, x)",
        "        v0[b, d] = x[b, d] * 0.5",
    ]
    count = 2
    group = 0
    while count < statements:
        group += 1
        body = [
            ("prepare", f"u{group}[b, d] = sum[e](v{group - 1}[b, e] * W[e, d])"),
            ("prepare", f"n{group}[b] = rsqrt(mean[d](u{group}[b, d] ** 2) + 1e-6)"),
            ("relevancy", f"s{group}[b, t] = n{group}[b] * sum[d](u{group}[b, d] * keys[b, t, d])"),
            ("retrieve", f"p{group}[b, j] = topk[t](s{group}[b, t], K)"),
            ("apply", f"v{group}[b, d] = u{group}[b, d] + sum[j](keys[b, p{group}[b, j], d]) / K"),
        ]
        for stage, statement in body:
            lines += [f"    {stage}:", f"        {statement}"]
        count += len(body)
    return "\n".join([*lines, f"    output v{group}", ""])


def chain(statements: int) -> str:
    """A pipeline of that many statements, each of which reads the one before."""
    lines = ["pipeline chain:", "    dim B <= 16", "    dim D = 64", "    input x: f32[B, D]", "    apply:"]
    lines.append("        v0[b, d] = x[b, d] * 0.5")
    for number in range(1, statements):
        lines.append(f"        v{number}[b, d] = tanh(v{number - 1}[b, d]) + {number % 7}.5 * x[b, d]")
    return "\n".join([*lines, f"    output v{statements - 1}", ""])


def main() -> None:
    """Measure everything and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    example, dims = str(EXAMPLE / "dsa.mp"), str(EXAMPLE / "paper.toml")
    _run([sys.executable, "-c", "from hetc.compiler.cli import main; main()", "check", example])  # warms the disk
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        out = str(folder / "out")
        sized = ["--dims", dims]
        rows = [
            measure("check, example", ["check", example], given.runs),
            measure("explain, example", ["explain", example, *sized], given.runs),
            measure("compile, example", ["compile", example, *sized, "-o", out], given.runs),
        ]
        ratios = {}
        for kind, make in (("mixed", generated), ("chain", chain)):
            compiled = {}
            for size in (*SIZES, LONGEST_CHAIN) if kind == "chain" else SIZES:
                path = folder / f"{kind}_{size}.mp"
                path.write_text(make(size))
                compiled[size] = measure(
                    f"compile, {kind}, {size} statements", ["compile", str(path), "-o", out], given.runs
                )
            rows += compiled.values()
            ratios[kind] = compiled[SIZES[1]].median_s / compiled[SIZES[0]].median_s
    if given.json:
        print(json.dumps({"runs": given.runs, "rows": [asdict(row) for row in rows], "ratios": ratios}, indent=2))
        return
    print(f"{'':<34} {'median':>9} {'fastest':>9} {'slowest':>9} {'peak':>10}")
    for row in rows:
        print(
            f"{row.name:<34} {row.median_s:>7.2f} s {row.fastest_s:>7.2f} s {row.slowest_s:>7.2f} s "
            f"{row.peak_mib:>6.0f} MiB"
        )
    for kind, ratio in ratios.items():
        print(f"compile, {kind}, {SIZES[1]} over {SIZES[0]} statements: {ratio:.2f}x")


if __name__ == "__main__":
    main()
