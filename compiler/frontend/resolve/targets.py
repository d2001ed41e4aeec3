"""The left side of a statement: which names it may define or write, and at which places."""

from __future__ import annotations

from dataclasses import replace

from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.syntax import ast
from hetc.diagnostics import Related


def with_places(target: ast.Target, environment: Environment) -> ast.Target:
    """The target of a memory with the names of single values read as what they hold: `m[at, d] = ...` writes at
    `at`. An index of another tensor has a name of its own."""
    declared = environment.declared.get(target.name)
    found: list[ast.Index | ast.Expr] = []
    for item in target.indices:
        if not isinstance(item, ast.Index) or not environment.is_single(item.name):
            found.append(item)
        elif declared is not None and declared.role == "memory" and item.bound is None:
            found.append(ast.Name(item.name, item.span))
        else:
            related = (Related(environment.names()[item.name], "defined here"),)
            help = "give the index another name"
            message = f"`{item.name}` is a value, not a new index"
            raise environment.refuse("HET101", message, item.span, related=related, help=help)
    return replace(target, indices=tuple(found))


def check_each_once(statement: ast.Define, environment: Environment) -> None:
    """Refuses a statement that gives one name two results."""
    first: dict[str, ast.Target] = {}
    for target in statement.targets:
        before = first.setdefault(target.name, target)
        if before is not target:
            related = (Related(before.span, "the first time"),)
            message = f"`{target.name}` stands twice on the left"
            raise environment.refuse("HET101", message, target.name_span, related=related)


def check_target(target: ast.Target, environment: Environment) -> None:
    """Refuses what is not written, and computed places of what is no memory."""
    declared = environment.declared.get(target.name)
    if declared is not None and declared.role != "memory":
        article = "an" if declared.role == "input" else "a"
        message = f"`{target.name}` is {article} {declared.role}; only memories are written"
        related = (Related(declared.span, "declared here"),)
        raise environment.refuse("HET101", message, target.name_span, related=related)
    if target.name in environment.dims:
        related = (Related(environment.dims[target.name].span, "declared here"),)
        raise environment.refuse("HET101", f"`{target.name}` is a dim", target.name_span, related=related)
    for index in target.indices:
        if not isinstance(index, ast.Index) and declared is None:
            message = "on the left stand plain indices: `d` or `d < 64`"
            raise environment.refuse("HET108", message, index.span)
