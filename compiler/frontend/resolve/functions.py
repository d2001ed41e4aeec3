"""The functions that an expression can call, and what is said about a call of another."""

from __future__ import annotations

from hetc.compiler.frontend.resolve.environment import Environment, Refused
from hetc.compiler.frontend.syntax import ast
from hetc.compiler.frontend.syntax.elsewhere import instead_of
from hetc.compiler.vocabulary import EFFECTS, ELEMENTWISE, INDEXED, REDUCTIONS, Kind
from hetc.diagnostics import suggest
from hetc.dialects.mp import ELEMENT_TYPES

# What may be cast to: the declared dtypes, without the element type of index tensors.
DTYPES = tuple(name for name in ELEMENT_TYPES if not name.startswith("index"))
_PLAIN = (*ELEMENTWISE, *DTYPES)


def check_call(call: ast.Call, environment: Environment) -> None:
    """Refuses a call without indices whose function or number of arguments is wrong."""
    name, count = call.function, len(call.arguments)
    if name not in _PLAIN:
        raise _unknown(call, environment)
    if call.keywords:
        keyword = call.keywords[0]
        raise environment.refuse("HET108", f"`{name}` takes no argument `{keyword.name}`", keyword.span)
    row = ELEMENTWISE.get(name)
    low, high = (1, 1) if row is None else (row.least, row.most)
    if not low <= count <= high:
        expected = str(low) if low == high else f"{low} to {high}"
        message = f"`{name}` takes {expected} argument{'s' if high > 1 else ''}, got {count}"
        help = f"a reduction names its index: `{name}[i](...)`" if name in REDUCTIONS else None
        raise environment.refuse("HET108", message, call.span, help=help)


def _unknown(call: ast.Call, environment: Environment) -> Refused:
    name, span = call.function, call.name_span
    if name in EFFECTS:
        return environment.refuse("HET108", f"`{name}` gives no value: it stands alone", span)
    if name in INDEXED:
        return environment.refuse("HET108", f"`{name}` needs its index in brackets: `{name}[i](...)`", span)
    if name in environment.broken:
        return Refused()
    if name in environment.tensors:
        return environment.refuse("HET108", f"`{name}` is a tensor, not a function", span, help=f"write `{name}[...]`")
    close = suggest(name, (*_PLAIN, *INDEXED, *environment.functions))
    help = instead_of(name) or (f"did you mean `{close}`?" if close else None)
    return environment.refuse("HET100", f"unknown function `{name}`", span, help=help)


def check_reduction(call: ast.Call, environment: Environment) -> None:
    """Refuses a call with indices that is no reduction of one argument."""
    name = call.function
    if name in INDEXED and INDEXED[name].kind in (Kind.SELECTION, Kind.CONVERSION):
        message = f"`{name}` gives a tensor of its own: it stands alone on the right of `=`"
        raise environment.refuse("HET108", message, call.name_span)
    if name not in REDUCTIONS:
        if name in _PLAIN or name in environment.tensors:
            what = "takes no index" if name in _PLAIN else "is a tensor, it is not called"
            raise environment.refuse("HET108", f"`{name}` {what}", call.name_span)
        close = suggest(name, INDEXED)
        help = instead_of(name) or (f"did you mean `{close}`?" if close else None)
        raise environment.refuse("HET100", f"unknown reduction `{name}`", call.name_span, help=help)
    count = len(call.arguments) + len(call.keywords)
    if count != 1 or call.keywords:
        raise environment.refuse("HET108", f"`{name}` takes one argument, got {count}", call.span)
    if REDUCTIONS[name].gives_places and len(call.indices) > 1:
        message = f"`{name}` over {len(call.indices)} indices gives as many results, so it stands in no expression"
        help = f"{several_results(call)} first, and use these names"
        raise environment.refuse("HET108", message, call.span, help=help)


def several_results(call: ast.Call, *before: str) -> str:
    """How a call over several indices is written; `before` are results that stand before the places."""
    names = [index.name for index in call.indices]
    results = ", ".join(f"{name}[...]" for name in (*before, *(f"at_{name}" for name in names)))
    return f"write `{results} = {call.function}[{', '.join(names)}](...)`"
