"""What statements with several results have in common."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import SSAValue

from hetc.compiler.frontend.lower.emitter import StepEmitter
from hetc.compiler.frontend.resolve import typed
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.resolve.functions import several_results
from hetc.compiler.frontend.resolve.typed import Axis, Flat, Result
from hetc.compiler.frontend.syntax import ast
from hetc.source import Span


def result_of(target: ast.Target) -> Result:
    return Result(target.name, target.name_span)


def check_new(targets: Sequence[ast.Target], what: str, environment: Environment) -> None:
    """Refuses a memory where new names are defined. Raises Refused."""
    for target in targets:
        if target.name in environment.declared:
            message = f"{what} defines new names; `{target.name}` is a memory"
            raise environment.refuse("HET201", message, target.span)


def check_number(targets: Sequence[ast.Target], call: ast.Call, environment: Environment) -> None:
    """One result for each of the indices and, of topk, perhaps the scores before them. Raises Refused."""
    function, count = call.function, len(call.indices)
    allowed = (count, count + 1) if function == "topk" else (count,)
    if len(targets) in allowed:
        return
    if count == 1:
        expected = "one result, or score and index" if function == "topk" else "one result"
        raise environment.refuse("HET108", f"`{function}` gives {expected}, got {len(targets)}", targets[0].span)
    names = [index.name for index in call.indices]
    scores = ", or the scores and these" if function == "topk" else ""
    message = f"`{function}` over [{', '.join(names)}] gives {count} results, one an index{scores}"
    raise environment.refuse("HET108", f"{message}, got {len(targets)}", targets[0].span, help=several_results(call))


def same_indices(targets: Sequence[ast.Target], environment: Environment) -> list[ast.Index]:
    """The plain indices of results, which all have the same. Raises Refused."""
    lists = [[index for index in target.indices if isinstance(index, ast.Index)] for target in targets]
    for target, names in zip(targets, lists, strict=True):
        if [item.name for item in names] != [item.name for item in lists[0]]:
            word = "both" if len(targets) == 2 else "all"
            raise environment.refuse("HET105", f"{word} results have the same indices", target.span)
    return lists[0]


def lower_places(
    step: StepEmitter, flat: Flat, found: SSAValue, results: Sequence[Result], axes: Sequence[Axis], span: Span
) -> None:
    """One tensor of places over `axes` for each of the indices, from that of the one index."""
    tensor = step.temporary("picks", found, span)
    read = typed.Read(tensor, tuple(typed.IndexValue(axis.name, span) for axis in axes), span)
    for result, place in zip(results, flat.places(read), strict=True):
        step.define(result.name, result.span, step.compute(axes, place, span, result.name))
