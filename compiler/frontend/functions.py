"""The functions that an expression can call, and what is said about a call of another."""

from __future__ import annotations

from hetc.compiler.frontend import ast
from hetc.compiler.frontend.arithmetic import UNARY_FUNCTIONS
from hetc.compiler.frontend.elsewhere import instead_of
from hetc.compiler.frontend.environment import Environment, Refused
from hetc.diagnostics import suggest
from hetc.dialects.mp import ELEMENT_TYPES

REDUCTIONS = ("sum", "prod", "max", "min", "mean", "any", "all", "count", "argmax", "argmin")
# These keep their index, which must be in scope around them.
KEEPING = ("softmax", "rope", "quantize")
SELECTING = ("topk", "select", "sort")
INDEXED_FUNCTIONS = (*REDUCTIONS, *KEEPING, *SELECTING, "concat")
# What may be cast to: the declared dtypes, without the element type of index tensors.
DTYPES = tuple(name for name in ELEMENT_TYPES if not name.startswith("index"))
FUNCTIONS = (*UNARY_FUNCTIONS, "min", "max", "where", "atan2", "pow", "ceildiv", "present", "coalesce", *DTYPES)
# Calls that stand alone, as statements.
EFFECTS = ("append", "clear")
_ARITY = {
    "where": (2, 3),
    "min": (2, 8),
    "max": (2, 8),
    "atan2": (2, 2),
    "pow": (2, 2),
    "ceildiv": (2, 2),
    "coalesce": (2, 2),
}
# Over several indices these give a place by each.
_PLACES = ("argmax", "argmin")


def check_call(call: ast.Call, environment: Environment) -> None:
    """Refuses a call without indices whose function or number of arguments is wrong."""
    name, count = call.function, len(call.arguments)
    if name not in FUNCTIONS:
        raise _unknown(call, environment)
    if call.keywords:
        keyword = call.keywords[0]
        raise environment.refuse("HET108", f"`{name}` takes no argument `{keyword.name}`", keyword.span)
    low, high = _ARITY.get(name, (1, 1))
    if not low <= count <= high:
        expected = str(low) if low == high else f"{low} to {high}"
        message = f"`{name}` takes {expected} argument{'s' if high > 1 else ''}, got {count}"
        help = f"a reduction names its index: `{name}[i](...)`" if name in REDUCTIONS else None
        raise environment.refuse("HET108", message, call.span, help=help)


def _unknown(call: ast.Call, environment: Environment) -> Refused:
    name, span = call.function, call.name_span
    if name in EFFECTS:
        return environment.refuse("HET108", f"`{name}` gives no value: it stands alone", span)
    if name in INDEXED_FUNCTIONS:
        return environment.refuse("HET108", f"`{name}` needs its index in brackets: `{name}[i](...)`", span)
    if name in environment.broken:
        return Refused()
    if name in environment.tensors:
        return environment.refuse("HET108", f"`{name}` is a tensor, not a function", span, help=f"write `{name}[...]`")
    close = suggest(name, (*FUNCTIONS, *INDEXED_FUNCTIONS, *environment.functions))
    help = instead_of(name) or (f"did you mean `{close}`?" if close else None)
    return environment.refuse("HET100", f"unknown function `{name}`", span, help=help)


def check_reduction(call: ast.Call, environment: Environment) -> None:
    """Refuses a call with indices that is no reduction of one argument."""
    name = call.function
    if name in SELECTING or name == "quantize":
        message = f"`{name}` gives a tensor of its own: it stands alone on the right of `=`"
        raise environment.refuse("HET108", message, call.name_span)
    if name not in REDUCTIONS:
        if name in FUNCTIONS or name in environment.tensors:
            what = "takes no index" if name in FUNCTIONS else "is a tensor, it is not called"
            raise environment.refuse("HET108", f"`{name}` {what}", call.name_span)
        close = suggest(name, INDEXED_FUNCTIONS)
        help = instead_of(name) or (f"did you mean `{close}`?" if close else None)
        raise environment.refuse("HET100", f"unknown reduction `{name}`", call.name_span, help=help)
    count = len(call.arguments) + len(call.keywords)
    if count != 1 or call.keywords:
        raise environment.refuse("HET108", f"`{name}` takes one argument, got {count}", call.span)
    if name in _PLACES and len(call.indices) > 1:
        message = f"`{name}` over {len(call.indices)} indices gives as many results, so it stands in no expression"
        help = f"{several_results(call)} first, and use these names"
        raise environment.refuse("HET108", message, call.span, help=help)


def several_results(call: ast.Call, *before: str) -> str:
    """How a call over several indices is written; `before` are results that stand before the places."""
    names = [index.name for index in call.indices]
    results = ", ".join(f"{name}[...]" for name in (*before, *(f"at_{name}" for name in names)))
    return f"write `{results} = {call.function}[{', '.join(names)}](...)`"
