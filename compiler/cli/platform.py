"""`hetc platform list|show NAME`: the devices that programs can be placed on."""

from __future__ import annotations

import json

import click

from hetc.compiler.cli.common import json_option, unknown, verbosity_options
from hetc.compiler.table import Table

ACTIONS = ("list", "show")


@click.command("platform")
@click.argument("action", metavar="list|show")
@click.argument("name", metavar="[NAME|FILE.toml]", required=False)
@json_option
@verbosity_options
def command(action: str, name: str | None, as_json: bool) -> int:
    """List the platforms, or show every figure of one with its source."""
    if action not in ACTIONS:
        raise unknown("action", action, ACTIONS)
    return _list(as_json) if action == "list" else _show(name, as_json)


def _list(as_json: bool) -> int:
    from hetc.platforms import DEFAULT_PLATFORM, list_platforms, load_platform

    platforms = [load_platform(name) for name in list_platforms()]
    if as_json:
        rows = [{"name": item.name, "title": item.title, "devices": list(item.devices)} for item in platforms]
        print(json.dumps(rows, indent=2))
        return 0
    table = Table("name", "devices", "title")
    for item in platforms:
        name = f"{item.name} (default)" if item.name == DEFAULT_PLATFORM else item.name
        table.add(name, ", ".join(item.devices), item.title)
    print(table)
    return 0


def _show(name: str | None, as_json: bool) -> int:
    from hetc.platforms import DEFAULT_PLATFORM, load_platform, show_rows

    platform = load_platform(DEFAULT_PLATFORM if name is None else name)
    rows = show_rows(platform)
    if as_json:
        data = [
            {"device": row.device, "figure": row.figure, "value": row.value, "number": row.number, "source": row.source}
            for row in rows
        ]
        print(json.dumps({"name": platform.name, "title": platform.title, "figures": data}, indent=2))
        return 0
    print(f"{platform.name}: {platform.title}\n")
    table = Table("device", "figure", "value", "source")
    for row in rows:
        table.add(row.device, row.figure, row.value, row.source)
    print(table)
    return 0
