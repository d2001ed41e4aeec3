"""Several indices as one that goes through their combinations, the last of them fastest.

`topk[a, c](x[a, c], K)` selects over an index n below A * C, where a is `n // C` and c is `n % C`; what it finds is
taken apart likewise. One extent known at run time stays what it is: n then runs up to a dim derived from it. Further
ones stand at their bounds, and what lies past their lengths is absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.ir.affine import AffineExpr

from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.resolve.names import FreshNames, plain_name
from hetc.compiler.frontend.resolve.symbols import Dim
from hetc.compiler.frontend.resolve.typed import Axis, Binary, DimSize, Expr, Flat, IndexValue, Literal
from hetc.dialects.mp import LARGEST_EXTENT
from hetc.source import Span


def flatten(axes: Sequence[Axis], free: Sequence[Axis], environment: Environment, span: Span) -> Flat:
    """The one index for `axes`, beside the indices `free`. Raises Refused where it would be too large."""
    exact = _exact(axes, environment)
    lengths: list[Expr] = []
    inside: Expr | None = None
    for info in axes:
        dim = environment.dim_of_extent(info.key)
        if dim is None or info is exact:
            lengths.append(_live(info))
            continue
        assert dim.bound is not None
        lengths.append(Literal(dim.bound, info.span))
        exists = Binary("<", IndexValue(info.name, info.span), _live(info), span)
        inside = exists if inside is None else Binary("and", inside, exists, span)
    factor = prod(int(length.value) for length in lengths if isinstance(length, Literal))
    key = factor if exact is None else _times(exact, factor, environment)
    most = key if isinstance(key, int) else environment.dims[key].bound or 0
    if most > LARGEST_EXTENT:
        names = ", ".join(plain_name(info.name) for info in axes)
        message = f"the indices [{names}] together have up to {most} values; the limit is {LARGEST_EXTENT}"
        raise environment.refuse("HET102", message, span, help="lower the bounds of their dims")
    taken = {plain_name(info.name) for info in (*axes, *free)} | environment.words | environment.dims.keys()
    name = FreshNames(taken).fresh("_".join(plain_name(info.name) for info in axes))
    index = Axis(name, key, None if exact is None else exact.per, span)
    return Flat(index, tuple(axes), tuple(lengths), inside)


def _exact(axes: Sequence[Axis], environment: Environment) -> Axis | None:
    """The index of the largest bound among those that run up to an extent of the time the step runs, if one length
    holds for all that the others go through."""
    names = {info.name for info in axes}
    fitting = [info for info in axes if isinstance(info.key, str) and info.per not in names]
    return max(fitting, key=lambda info: environment.dims[str(info.key)].bound or 0, default=None)


def _live(info: Axis) -> Expr:
    """How many values an index has."""
    if isinstance(info.key, int):
        return Literal(info.key, info.span)
    return DimSize(info.key, None if info.per is None else IndexValue(info.per, info.span), info.span)


def _times(info: Axis, factor: int, environment: Environment) -> str:
    """The dim that is `factor` times the extent of an index: one of the program, or one that is made for it."""
    dim = environment.dims[str(info.key)]
    if factor == 1:
        return dim.name
    derived = ((AffineExpr.dimension(0) * factor,),)
    for other in environment.dims.values():
        if other.of == (dim.name,) and other.derived == derived:
            environment.used.add(other.name)
            return other.name
    assert dim.bound is not None
    name = FreshNames(set(environment.words | environment.dims.keys())).fresh(f"{dim.name}_x_{factor}")
    environment.dims[name] = Dim(name, None, dim.bound * factor, dim.per, dim.span, derived, (dim.name,))
    return name
