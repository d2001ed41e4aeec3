"""Every command line that a page, the Makefile or a script shows is one that the program accepts."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from hetc.compiler.cli import app
from hetc.compiler.cli.common import State

ROOT = Path(__file__).parents[3]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/*.md"), ROOT / "Makefile"]


def shown_commands() -> list[tuple[str, str]]:
    """(page, command line), from lines that begin with `hetc` and from inline code."""
    found = []
    for page in PAGES:
        text = page.read_text()
        lines = re.findall(r"(?m)^\s*(hetc [a-z].*)$", text) + re.findall(r"`(hetc [a-z][^`]*)`", text)
        found += [(page.name, line.strip()) for line in lines]
    return found


SHOWN = shown_commands()


def test_commands_are_shown_at_all():
    assert {shlex.split(line)[1] for _, line in SHOWN} >= {"compile", "explain", "run", "inspect", "doctor"}


@pytest.mark.parametrize(("page", "line"), SHOWN, ids=lambda value: value)
def test_a_shown_command_is_accepted(page, line):
    name, *arguments = shlex.split(line, comments=True)[1:]
    assert name in app.COMMANDS, f"{page}: there is no command {name}"
    command = app.program.get_command(click.Context(app.program), name)
    assert command is not None
    if not arguments:  # the command's name in a sentence
        return
    command.make_context(name, arguments, obj=State())
