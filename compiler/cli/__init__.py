"""The command line: `hetc COMMAND ...`, one module a command, each imported when it is called."""

from hetc.compiler.cli.app import main

__all__ = ["main"]
