"""`hetc platform list|show NAME|measure`: the devices that programs can be placed on."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hetc.compiler.cli.common import json_option, say, unknown, usage, verbosity_options
from hetc.compiler.table import Table
from hetc.devices import manifests, resolve
from hetc.diagnostics import cannot_write

ACTIONS = ("list", "show", "measure")


@click.command("platform")
@click.argument("action", metavar="list|show|measure")
@click.argument("name", metavar="[NAME|FILE.toml]", required=False)
@json_option
@verbosity_options
def command(action: str, name: str | None, as_json: bool) -> int:
    """List the platforms, show every figure of one with its source, or measure this machine's own devices (its
    processor): `auto` takes what was found, and NAME.toml keeps it elsewhere."""
    if action not in ACTIONS:
        raise unknown("action", action, ACTIONS)
    if action == "measure":
        return _measure(name, as_json)
    return _list(as_json) if action == "list" else _show(name, as_json)


def _list(as_json: bool) -> int:
    from hetc.platforms import DEFAULT_PLATFORM, all_platforms

    platforms = list(all_platforms())
    if as_json:
        rows = [
            {"name": item.name, "title": item.title, "devices": list(item.devices), "from": owner}
            for owner, item in platforms
        ]
        print(json.dumps(rows, indent=2))
        return 0
    several = len({owner for owner, _ in platforms}) > 1
    table = Table("name", "devices", "title", *(["from"] if several else []))
    for owner, item in platforms:
        name = f"{item.name} (default)" if item.name == DEFAULT_PLATFORM else item.name
        table.add(name, ", ".join(item.devices), item.title, *([owner] if several else []))
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


def _measure(name: str | None, as_json: bool) -> int:
    """Measure, write the platform file and show it."""
    from hetc.platforms.here import measured_file

    kind = next(kind for kind in manifests() if kind.measure)
    path = measured_file() if name is None else Path(name)
    if path.suffix != ".toml":
        raise usage("HET404", f"`platform measure` writes a platform file; `{name}` does not end in .toml")
    text = resolve(kind.measure)()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    except OSError as error:
        raise cannot_write(str(path), error, "HET405", "name another file") from error
    say(f"{path}: this machine's {kind.title}, measured")
    return _show(str(path), as_json)
