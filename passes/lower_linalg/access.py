"""Which reads become operands of a linalg.generic: those whose place is an affine function of the loops.

A read whose indices are loops of the same extents is one under a projected permutation. A sum of loops with positive
factors (`keys[64*p + i]`) is one under an affine map, where it is in range at every iteration. All others are
tensor.extract in the body.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import IndexType
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineExpr, AffineMap

from hetc.dialects.mp import PipelineOp, RangeAttr, ReadOp, TensorType, extent_key, intervals_of
from hetc.passes.normalize.linear import Linear, linear


@dataclass(frozen=True)
class Loops:
    """The loops of a linalg.generic: the statement's indices, then that of the reduction, if there is one.

    ragged: some row is shorter than its loop, so that not every iteration is one of the statement's."""

    arguments: tuple[SSAValue, ...]
    ranges: tuple[RangeAttr, ...]
    ragged: bool

    @property
    def keys(self) -> tuple[int | str, ...]:
        return tuple(extent_key(item.extent) for item in self.ranges)

    @property
    def positions(self) -> Mapping[SSAValue, int]:
        return {argument: position for position, argument in enumerate(self.arguments)}


@dataclass(frozen=True)
class Access:
    """The element that an iteration reads, and the extents that the tensor is cut to: a plain loop's dim has the
    loop's extent, any other its own."""

    map: AffineMap
    keys: tuple[int | str, ...]


def access_of(read: ReadOp, loops: Loops, pipeline: PipelineOp) -> Access | None:
    """How the read's element is an operand, or None where it is not."""
    type_ = read.tensor.type
    assert isinstance(type_, TensorType)
    intervals = intervals_of(pipeline)
    expressions: list[AffineExpr] = []
    keys: list[int | str] = []
    for index, key in zip(read.indices, type_.shape, strict=True):
        at = linear(index, pipeline, intervals)
        if not _is_of_loops(at, loops) or not _in_range(at, key, read, loops):
            return None
        expression = _expression(at, loops)
        expressions.append(expression)
        keys.append(loops.keys[expression.position] if isinstance(expression, AffineDimExpr) else key)
    return Access(AffineMap(len(loops.ranges), 0, tuple(expressions)), tuple(keys))


def lacks_extent(loop: int, maps: Sequence[AffineMap]) -> bool:
    """Whether no operand alone says how far the loop runs."""
    return not any(
        isinstance(result, AffineDimExpr) and result.position == loop for map_ in maps for result in map_.results
    )


def _is_of_loops(at: Linear, loops: Loops) -> bool:
    positions = loops.positions
    return at.constant >= 0 and all(
        isinstance(atom, SSAValue) and atom.type == IndexType() and atom in positions and factor > 0
        for atom, factor in at.terms
    )


def _in_range(at: Linear, key: int | str, read: ReadOp, loops: Loops) -> bool:
    """Whether the element exists at every iteration."""
    terms = [(loops.keys[loops.positions[atom]], factor) for atom, factor in at.terms]  # type: ignore[index]
    if at.constant == 0 and terms == [(key, 1)]:
        return True
    if isinstance(key, int) and all(isinstance(extent, int) for extent, _ in terms):
        return at.constant + sum(factor * (int(extent) - 1) for extent, factor in terms) < key
    # A plain loop would cut the tensor to the loop's extent, which it need not have where another loop is empty.
    is_plain = at.constant == 0 and [factor for _, factor in terms] == [1]
    # A read without a condition is in range at each of the statement's iterations, and these are all.
    return read.present is None and not loops.ragged and not is_plain


def _expression(at: Linear, loops: Loops) -> AffineExpr:
    positions = loops.positions
    terms = sorted((positions[atom], factor) for atom, factor in at.terms)  # type: ignore[index]
    made: AffineExpr | None = None
    for position, factor in terms:
        term: AffineExpr = AffineExpr.dimension(position)
        term = term * factor if factor != 1 else term
        made = term if made is None else made + term
    if made is None:
        return AffineExpr.constant(at.constant)
    return made + at.constant if at.constant else made
