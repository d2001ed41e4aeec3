"""`python -m random_programs SEED`, run from tests/: a program, its twin and the first difference; shrunk if asked."""

from __future__ import annotations

import argparse
import sys

from random_programs.fast_csim import fast_csim
from random_programs.generate import generate
from random_programs.shrink import shrink
from random_programs.spell import spell
from random_programs.twin import print_twin
from random_programs.verdict import WAYS, judge, placement


def main() -> int:
    parser = argparse.ArgumentParser(prog="random_programs", description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("--devices", choices=WAYS, default="oracle")
    parser.add_argument("--shrink", action="store_true", help="look for a smaller program that fails the same way")
    parser.add_argument("--calls", type=int, help="how often the step is called")
    parser.add_argument("--attempts", type=int, default=400, help="programs tried while shrinking")
    arguments = parser.parse_args()
    program = generate(arguments.seed)
    with fast_csim():
        verdict = judge(program, arguments.devices, arguments.calls)
        if arguments.shrink and verdict.kind != "ok":
            wanted = (verdict.kind, verdict.reason)

            def still_fails(candidate: object) -> bool:
                found = judge(candidate, arguments.devices, arguments.calls)  # type: ignore[arg-type]
                return (found.kind, found.reason) == wanted

            program = shrink(program, still_fails, arguments.attempts)
            verdict = judge(program, arguments.devices, arguments.calls)
    print(spell(program))
    print(print_twin(program))
    if arguments.devices in ("gpu", "fpga", "cpu", "mix", "any"):
        print("placement:", placement(program.seed, arguments.devices))
    print(f"{verdict.kind} {verdict.text}")
    return 0 if verdict.kind == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
