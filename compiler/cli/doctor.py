"""`hetc doctor`: what this machine has, what is missing, and how to get it."""

from __future__ import annotations

import dataclasses
import json

import click

from hetc.compiler.cli.common import json_option, verbosity_options
from hetc.compiler.table import Table
from hetc.diagnostics import EXIT_ENVIRONMENT, EXIT_OK


@click.command("doctor")
@json_option
@verbosity_options
def command(as_json: bool) -> int:
    """Look for the tools, packages and devices that generated programs need. Exit code 3: the main job lacks some."""
    from hetc.runtime.environment import main_job, probe

    checks, needed = probe(), main_job()
    lacking = [check for check in checks if not check.ok and check.name in needed]
    if as_json:
        rows = [{**dataclasses.asdict(check), "main_job": check.name in needed} for check in checks]
        print(json.dumps(rows, indent=2))
        return EXIT_ENVIRONMENT if lacking else EXIT_OK
    table = Table("", "what", "version", "found", "needed for")
    for check in checks:
        mark = "ok" if check.ok else "MISSING" if check.name in needed else "-"
        table.add(mark, check.name, check.version or "", check.detail, check.needed_for)
    print(table)
    absent = [check for check in checks if not check.ok]
    if absent:
        print("\nHow to get what is not there:")
        for check in absent:
            print(f"  {check.name}: {check.how_to_get}")
    if lacking:
        names = ", ".join(check.name for check in lacking)
        print(f"\nCompiling and emulating lacks: {names}")
        return EXIT_ENVIRONMENT
    print("\nCompiling and running under emulation: ready.")
    return EXIT_OK
