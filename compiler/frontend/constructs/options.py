"""Arguments that are given by name, checked by the function's line in the vocabulary."""

from __future__ import annotations

from collections.abc import Mapping

from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.syntax import ast
from hetc.compiler.vocabulary import INDEXED


def options_of(call: ast.Call, environment: Environment) -> dict[str, ast.Expr]:
    """The arguments by name. Raises Refused at one that the function does not have."""
    known = INDEXED[call.function].options
    for keyword in call.keywords:
        if keyword.name not in known:
            message = f"`{call.function}` takes no argument `{keyword.name}`"
            named = "argument is" if len(known) == 1 else "arguments are"
            help = f"its named {named} {', '.join(known)}" if known else None
            raise environment.refuse("HET108", message, keyword.span, help=help)
    return {keyword.name: keyword.value for keyword in call.keywords}


def word_of(
    call: ast.Call, options: Mapping[str, ast.Expr], name: str, environment: Environment, default: str = ""
) -> str:
    """An option that is one of a few words; the first of them is the default where no other is named. Raises
    Refused."""
    given, allowed = options.get(name), INDEXED[call.function].options[name]
    if given is None:
        return default or allowed[0]
    if not isinstance(given, ast.Name) or given.name not in allowed:
        message = f"expected `{name}` to be {' or '.join(allowed)}"
        raise environment.refuse("HET108", message, given.span)
    return given.name
