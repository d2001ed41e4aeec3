"""The text of a decorated function, at its own lines."""

from __future__ import annotations

import ast as python
import inspect
import linecache
import warnings
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, NoReturn

from hetc.diagnostics import EXIT_USAGE, Diagnostic, DiagnosticError, suggest
from hetc.source import SourceFile, read_source, read_standard_input

DECORATOR = "hetero_pipeline"
# What the decorator takes besides `grows`: everything that decides what is compiled.
OPTIONS = ("platform", "policy", "objective", "pins", "dims", "estimate", "layouts")
Function = python.FunctionDef | python.AsyncFunctionDef


def function_source(function: Callable[..., Any]) -> SourceFile:
    """The text of a function, from its first decorator on, at the lines and columns that it has in its file.

    Raises DiagnosticError where `function` is no function written with `def`, or its text cannot be had.
    """
    inner = inspect.unwrap(function)
    if not inspect.isfunction(inner):
        _refuse(f"@{DECORATOR} takes a function; found {type(function).__name__}")
    code = inner.__code__
    where = f"`{inner.__name__}`, line {code.co_firstlineno} of {code.co_filename}"
    if inner.__name__ == "<lambda>":
        _refuse(f"a pipeline is a function written with `def`; found a lambda ({where})")
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename, inner.__globals__)
    if not lines:
        help = "write the function into a file or a notebook cell: its text is what is compiled"
        _refuse(f"the text of {where} cannot be read", help)
    text = "".join(lines)
    for node in functions_of(parse_python(text, code.co_filename)):
        if node.name == inner.__name__ and first_line(node) == code.co_firstlineno:
            return cut_out(SourceFile(source_name(code.co_filename), text), node)
    _refuse(f"{where} is no longer there: the file has changed since it was imported", "import it again")


def source_name(filename: str) -> str:
    """A file's name as diagnostics show it; a notebook cell's ends in `.py` too, by which Python text is known."""
    plain = filename.strip("<>") or "cell"
    return plain if plain.endswith(".py") else f"{plain}.py"


def select_function(source: SourceFile, name: str | None = None) -> SourceFile:
    """The text of one pipeline of a Python file. Raises DiagnosticError where there is none, or none of that name."""
    source = SourceFile(source.name, _universal_newlines(source.text))
    found = [node for node in functions_of(parse_file(source)) if decorator_of(node) is not None]
    names = [node.name for node in found]
    shown = f"it holds {', '.join(f'`{item}`' for item in names)}"
    if not found:
        _refuse(f"`{source.name}` holds no function under @{DECORATOR}")
    if name is None and len(found) > 1:
        _refuse(f"`{source.name}` holds {len(found)} pipelines", f"{shown}; write for example `FILE.py:{names[0]}`")
    if name is not None and name not in names:
        guess = suggest(name, names)
        _refuse(f"`{source.name}` holds no pipeline `{name}`", f"did you mean `{guess}`?" if guess else shown)
    return cut_out(source, found[0] if name is None else found[names.index(name)])


def read_program(argument: str) -> SourceFile:
    """The source of a pipeline: a `.mp` file, `FILE.py` with one, `FILE.py:NAME`, or `-`, the text of a `.mp` file on
    standard input. Raises DiagnosticError."""
    if argument == "-":
        return read_standard_input()
    path, name = file_and_name(argument)
    source = read_source(path)
    return select_function(source, name) if source.name.endswith(".py") else source


def decorator_options(source: SourceFile) -> dict[str, Any]:
    """Options that the decorator of a Python pipeline spells out; none for a `.mp` file. Raises DiagnosticError."""
    if not source.name.endswith(".py"):
        return {}
    decorator = decorator_of(function_of(source))
    found: dict[str, Any] = {}
    for keyword in decorator.keywords if isinstance(decorator, python.Call) else []:
        if keyword.arg in OPTIONS:
            try:
                found[keyword.arg] = python.literal_eval(keyword.value)
            except ValueError:
                _refuse(
                    f"`{source.name}`: `{keyword.arg}` is computed where the file runs; here it must be spelled out"
                )
    return {name: value for name, value in found.items() if value is not None}


def cut_out(source: SourceFile, node: Function) -> SourceFile:
    """Only the function's lines, with empty lines before it: what stands around it is no part of a pipeline."""
    lines = source.text.split("\n")
    first = first_line(node)
    kept = lines[first - 1 : node.end_lineno]
    return SourceFile(source.name, "\n" * (first - 1) + "".join(f"{line}\n" for line in kept))


def function_of(source: SourceFile) -> Function:
    """The one function in a text that `function_source` or `select_function` gave."""
    found = functions_of(parse_file(source))
    assert found, "the text was cut out of a file by its function"
    return found[0]


def _universal_newlines(text: str) -> str:
    """Line ends as Python reads them: CR and CRLF are LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse_file(source: SourceFile) -> python.Module:
    """Python's tree of a text. Raises DiagnosticError where it is not Python."""
    text = source.text
    body = text.lstrip("\n")
    if body[:1] in (" ", "\t"):
        # A method's or inner function's text: the empty line before it gives it something to be indented under.
        before = len(text) - len(body)
        text = "\n" * (before - 1) + "if 1:" + text[before - 1 :]
    if "\0" in text:  # Pythons differ in what they say of one
        raise DiagnosticError(Diagnostic("error", "HET002", f"`{source.name}` holds a NUL byte: this is no text"))
    try:
        return parse_python(text, source.name)
    except SyntaxError as error:
        line = min(max(error.lineno or 1, 1), source.last_line)
        start = source.offset_of(line, error.offset or 1)
        diagnostic = Diagnostic("error", "HET012", f"this is not Python: {error.msg}", source.span(start))
        raise DiagnosticError(diagnostic) from None


def parse_python(text: str, name: str) -> python.Module:
    """Python's tree of the text of a file. Raises SyntaxError, ValueError, DiagnosticError."""
    # A cell may wait at its top level. `x is 1` and its like are ours to refuse, not Python's to warn of.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            return compile(text, "<pipeline>", "exec", python.PyCF_ONLY_AST | python.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        except (RecursionError, MemoryError):  # both are limits of Python's parser, which names no place
            message = f"`{name}` holds an expression that nests too deeply for Python"
            help = "split it into statements"
            raise DiagnosticError(Diagnostic("error", "HET013", message, help=help)) from None


def functions_of(tree: python.Module) -> list[Function]:
    """Every function of a file, in the order of the text."""
    found = [node for node in python.walk(tree) if isinstance(node, Function)]
    return sorted(found, key=lambda node: node.lineno)


def first_line(node: Function) -> int:
    """The line of the first decorator, or of `def`: where Python says that a function begins."""
    return min([node.lineno, *(item.lineno for item in node.decorator_list)])


def decorator_of(node: Function) -> python.expr | None:
    """`@hetero_pipeline` or `@hetero_pipeline(...)` on a function, by its name or as an attribute."""
    for item in node.decorator_list:
        called = item.func if isinstance(item, python.Call) else item
        name = called.attr if isinstance(called, python.Attribute) else getattr(called, "id", None)
        if name == DECORATOR:
            return item
    return None


def file_and_name(argument: str) -> tuple[str, str | None]:
    """`FILE.py:NAME` as path and name; a path alone has none."""
    path, colon, name = argument.rpartition(":")
    return (path, name) if colon and PurePath(path).suffix == ".py" and name.isidentifier() else (argument, None)


def _refuse(message: str, help: str | None = None) -> NoReturn:
    raise DiagnosticError(Diagnostic("error", "HET411", message, help=help), EXIT_USAGE) from None
