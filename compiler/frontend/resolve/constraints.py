"""What places in the brackets of tensors say of the extent of an index, and whether they agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.resolve.guarded_reads import Limit
from hetc.compiler.frontend.resolve.names import plain_name
from hetc.compiler.frontend.syntax import ast
from hetc.diagnostics import Related
from hetc.source import Span


@dataclass(frozen=True)
class Constraint:
    """The extent of one place where an index stands alone. `row` is the plain index at the row's place, if any; `limit`
    what keeps the index within the extent where the place is read, so that it may go further elsewhere."""

    key: int | str
    row: str | None
    span: Span
    what: str
    limit: Limit | None = None


def constraints_of(shape: Iterable[int | str], span: Span, what: str) -> list[Constraint]:
    return [Constraint(key, None, span, f"dim {place + 1} of {what}") for place, key in enumerate(shape)]


def limited(constraint: Constraint, limits: Iterable[Limit], index: str) -> Constraint:
    """The constraint with the first of the limits around it that keeps `index` within its extent."""
    for limit in limits:
        if limit.index == index and limit.keeps_within(constraint.key, constraint.row):
            return Constraint(constraint.key, constraint.row, constraint.span, constraint.what, limit)
    return constraint


def binding(constraints: Sequence[Constraint]) -> Sequence[Constraint]:
    """Those that the extent is taken from: where a condition keeps the index within all of them, all."""
    return [found for found in constraints if found.limit is None] or constraints


def check_bound(index: ast.Index, key: int | str, constraints: Sequence[Constraint], environment: Environment) -> None:
    """Refuses a bound that goes past a place where no condition keeps the index within it."""
    for found in constraints:
        too_large = isinstance(found.key, int) and isinstance(key, int) and key > found.key
        different = isinstance(found.key, str) and isinstance(key, str) and key != found.key
        if found.limit is None and (too_large or different):
            message = f"the index `{index.name}` goes up to {key}, past {found.what}, whose extent is {found.key}"
            related = (Related(found.span, f"here it indexes {found.what}"),)
            is_read = not found.span.start <= index.span.start <= found.span.end
            help = (
                f"a condition around it says where it is read: `where({index.name} < {found.key}, ...)`"
                if is_read
                else None
            )
            raise environment.refuse("HET104", message, index.span, related=related, help=help)


def check_agreement(index: ast.Index, constraints: Sequence[Constraint], environment: Environment) -> None:
    """Refuses an index without a bound whose places have different extents."""
    first = constraints[0]
    for other in constraints[1:]:
        if other.key != first.key:
            message = f"the index `{index.name}` has the extent {first.key} and the extent {other.key}"
            related = (Related(first.span, f"here it indexes {first.what}, of extent {first.key}"),)
            keys = [key for key in (first.key, other.key) if isinstance(key, int)]
            chosen = max if first.limit is not None else min
            bound = chosen(keys, default=first.key)  # type: ignore[type-var]
            help = f"give it a bound where it is introduced: `{index.name} < {bound}`"
            label = f"{other.what}, of extent {other.key}"
            raise environment.refuse("HET104", message, other.span, label=label, related=related, help=help)
        if other.row != first.row and other.row is not None and first.row is not None:
            rows = f"both `{first.row}` and `{other.row}`"
            if plain_name(first.row) == plain_name(other.row):
                rows = f"two indices named `{plain_name(first.row)}`, an outer and an inner one"
            message = f"the index `{index.name}` runs over the rows of {rows}"
            related = (Related(first.span, f"here over those of `{first.row}`"),)
            raise environment.refuse("HET104", message, other.span, related=related)


def warn_of_negative_places(expr: ast.Access, shape: Sequence[int | str], environment: Environment) -> None:
    """`x[-1]` is no element, as it is in Python: what is read there is always absent."""
    for key, item in zip(shape, expr.indices, strict=True):
        if isinstance(item, ast.Unary) and item.operator == "-" and isinstance(item.operand, ast.Number):
            dim = environment.dim_of_extent(key)
            length = f"{key}[b]" if dim is not None and dim.per is not None else key
            message = f"`{item.span.text}` is before the first element, so that nothing is ever read here"
            help = f"counted from the end it is `{length} - {item.operand.value}`"
            environment.diagnostics.warning("HET113", message, item.span, help=help)


def warn_of_certain_conditions(
    index: ast.Index, key: int | str, constraints: Sequence[Constraint], environment: Environment
) -> None:
    """Where a condition keeps an index within the very extent that the index takes from there, it always holds: what
    the other branch says of the index is never meant."""
    for found in constraints:
        limit = found.limit
        if limit is not None and limit.decides and limit.is_all and limit.key == key:
            message = f"this always holds: the extent of `{index.name}` is {key}, taken from {found.what}"
            related = (Related(found.span, f"here it indexes {found.what}"),)
            help = f"where `{index.name}` is to go further, give it a bound where it is introduced"
            environment.diagnostics.warning("HET112", message, limit.span, related=related, help=help)
            return
