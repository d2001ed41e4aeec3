"""The `hetc` program: which commands there are, and how a run ends.

Whatever a user can write ends in diagnostics and an exit code, never in a traceback:
0 ok, 1 the program is wrong, 2 usage, 3 the environment lacks something, 70 a defect of hetc, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from hetc.compiler.cli.common import State, unknown, verbosity_options
from hetc.diagnostics import (
    EXIT_ENVIRONMENT,
    EXIT_OK,
    EXIT_USAGE,
    Diagnostic,
    DiagnosticError,
    cannot_import,
    print_diagnostics,
    suggest,
    system_refuses,
)

# Name -> the module in this package that holds the command, as `command`. Imported when called: `hetc check`
# must not pay for what only `hetc run` needs.
COMMANDS = {
    "compile": "compile_file",
    "check": "check",
    "explain": "explain",
    "inspect": "inspect_directory",
    "run": "run",
    "fmt": "fmt",
    "platform": "platform",
    "doctor": "doctor",
}

EXIT_DEFECT = 70
EXIT_INTERRUPTED = 130


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found = import_module(f"hetc.compiler.cli.{COMMANDS[cmd_name]}").command
        assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise unknown("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)


def _print_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"hetc {version('hetc')}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version."
)
@verbosity_options
def program() -> None:
    """Compile LLM memory-processing pipelines to FPGA (HLS C++), GPU (Triton) and host programs."""


_OBJECTS_A_COLLECTION = 200_000
"""A compiler makes many objects and drops few: at Python's 700 a tenth of the time goes into looking for cycles. What
is imported makes 115,000 and drops none."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point: run `arguments` (default: the command line's) and exit."""
    gc.set_threshold(_OBJECTS_A_COLLECTION, 20, 20)
    _open_streams()
    code = run(list(sys.argv[1:] if arguments is None else arguments))
    # Nothing is left to flush: a reader that has gone, or a full disk, must not be told of once more.
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)


def _open_streams() -> None:
    """Output goes somewhere, whatever the streams are: closed ones nowhere, others in what they can show."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit code; everything is printed."""
    state = State()
    try:
        return _answered(arguments, state)
    except BrokenPipeError:
        return EXIT_OK  # the reader has what it wanted: `hetc explain FILE | head`
    except OSError:
        return EXIT_ENVIRONMENT  # what was wrong could not be printed


def _answered(arguments: list[str], state: State) -> int:
    """The exit code of a command line, errors printed. Raises OSError where they cannot be."""
    try:
        # Not `program.main`, which takes errors of the output for its own.
        with program.make_context("hetc", arguments, obj=state) as context:
            code = program.invoke(context)
        sys.stdout.flush()
        return code if isinstance(code, int) else EXIT_OK
    except click.exceptions.Exit as asked:
        sys.stdout.flush()
        return asked.exit_code
    except DiagnosticError as error:
        return _told(error)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        return EXIT_USAGE
    except click.UsageError as error:
        return _told(DiagnosticError(usage_diagnostic(error), EXIT_USAGE))
    except (click.Abort, KeyboardInterrupt):
        print("hetc: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        raise
    except (OSError, MemoryError) as error:
        return _told(system_refuses(error))
    except Exception as error:
        if isinstance(error, ImportError) and (error.name or "hetc").partition(".")[0] != "hetc":
            return _told(cannot_import(error))
        _report_defect(error, state)
        return EXIT_DEFECT


def _told(error: DiagnosticError) -> int:
    with contextlib.suppress(BrokenPipeError):  # the exit code says it, too
        print_diagnostics(error.diagnostics)
    return error.exit_code


def usage_diagnostic(error: click.UsageError) -> Diagnostic:
    """What click found wrong with a command line, in our form: the valid options are listed."""
    context = error.ctx
    command = context.command_path if context is not None else "hetc"
    notes: tuple[str, ...] = ()
    help: str | None = f"see `{command} --help`"
    message = error.format_message().rstrip(".")
    if isinstance(error, click.NoSuchOption):
        options = [name for item in (context.command.params if context else ()) for name in item.opts if name[0] == "-"]
        guess = suggest(error.option_name, options)
        message = f"`{command}` has no option `{error.option_name}`"
        notes = (f"valid options: {', '.join([*options, '--help'])}",)
        help = f"did you mean `{guess}`?" if guess else help
    return Diagnostic("error", "HET404", message[:1].lower() + message[1:], notes=notes, help=help)


def _report_defect(error: Exception, state: State) -> None:
    """An exception that is none of the program's doing: say so, shortly, and how to report it."""
    if state.verbose:
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    place = getattr(error, "reproducer", None)
    if place is not None:
        print(f"What the pass was given is in {place}, with the command that runs it again.", file=sys.stderr)
    text = str(error).strip().splitlines()
    summary = f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
    print(
        f"hetc: internal error: {summary}\n"
        "This is a defect of hetc, not of your program. Please report it with the source file, the command line\n"
        f"and what `hetc --version` says{'' if state.verbose else '; run again with -v for the traceback'}.",
        file=sys.stderr,
    )
