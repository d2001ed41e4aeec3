"""`hetc fmt FILE.mp ...`: give pipelines their one layout."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import click

from hetc.compiler.cli.common import say, usage, verbosity_options
from hetc.diagnostics import EXIT_OK, EXIT_PROGRAM, DiagnosticError, Diagnostics, cannot_write, visible
from hetc.source import SourceFile, read_source, read_standard_input


@click.command("fmt")
@click.argument("files", metavar="FILE.mp... | -", nargs=-1, required=True)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit 1 where a file would change.")
@verbosity_options
def command(files: tuple[str, ...], only_check: bool) -> int:
    """Format pipelines in place; `-` reads standard input and prints. Nothing is written if one file does not parse."""
    if "-" in files and len(files) > 1:
        raise usage("HET404", "`-` stands alone: standard input is printed, files are changed in place")
    formatted = _formatted(files)
    changed = [(source, text) for source, text in formatted if text != source.text]
    if only_check:
        for source, _ in changed:
            print(visible(f"{source.name}: would be reformatted"))
        return EXIT_PROGRAM if changed else EXIT_OK
    if files == ("-",):
        sys.stdout.write(formatted[0][1])
        return EXIT_OK
    for source, text in changed:
        _replace(Path(source.name), text)
        say(f"{source.name}: formatted")
    return EXIT_OK


def _formatted(files: tuple[str, ...]) -> list[tuple[SourceFile, str]]:
    """Each file with its formatted text. Raises DiagnosticError with what is wrong in any of them."""
    from hetc.compiler.formatter import format_source

    wrong = Diagnostics()
    exit_code = EXIT_OK
    found = []
    for file in files:
        try:
            source = _read(file)
            found.append((source, format_source(source)))
        except DiagnosticError as error:
            wrong.extend(error.diagnostics)
            exit_code = max(exit_code, error.exit_code)
    wrong.raise_if_errors(exit_code)
    return found


def _read(file: str) -> SourceFile:
    if file == "-":
        return read_standard_input()
    if file.endswith(".py"):
        raise usage("HET404", f"`{file}` is Python", "any formatter of Python keeps what a pipeline means")
    return read_source(file)


def _replace(path: Path, text: str) -> None:
    """Write the file whole or not at all: aside first, then renamed over it. A link stays a link."""
    target = path.resolve()
    try:
        handle, aside = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
            os.chmod(aside, target.stat().st_mode & 0o7777)
            os.replace(aside, target)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise cannot_write(str(path), error, "HET403", "make it writable, or give `-` and redirect") from None
