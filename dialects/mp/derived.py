"""How a dim follows from others: the largest of a few numbers, each the least of a few affine functions of them.

`max((T - 1) // 4, 0)` is `affine_map<(d0) -> ((d0 - 1) floordiv 4, 0)>` in the groups `[1, 1]`, and `min(T, N)` is
`(d0, d1)` in the one group `[2]`. Sums, products with constants, quotients by constants, `min` and `max` all have that
form.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir.affine import AffineBinaryOpExpr, AffineBinaryOpKind, AffineConstantExpr, AffineDimExpr, AffineExpr

Groups = tuple[tuple[AffineExpr, ...], ...]


def grouped(results: Sequence[AffineExpr], sizes: Sequence[int]) -> Groups:
    """The functions of a map, in groups of these sizes."""
    ends = [sum(sizes[: place + 1]) for place in range(len(sizes))]
    return tuple(tuple(results[end - size : end]) for size, end in zip(sizes, ends, strict=True))


def value_of(groups: Groups, dims: Sequence[int]) -> int:
    """The value for these values of the dims."""
    return max(min(item.eval(dims, []) for item in group) for group in groups)


def most_of(groups: Groups) -> Groups:
    """What is never less, and grows with every dim: its value at the largest dims is the largest there is."""
    return tuple(tuple(_most(item, True) for item in group) for group in groups)


def _most(item: AffineExpr, is_added: bool) -> AffineExpr:
    """The function without the dims that are taken away."""
    match item:
        case AffineDimExpr():
            return item if is_added else AffineConstantExpr(0)
        case AffineBinaryOpExpr(kind=AffineBinaryOpKind.Add, lhs=left, rhs=right):
            return _most(left, is_added) + _most(right, is_added)
        case AffineBinaryOpExpr(kind=AffineBinaryOpKind.Mul, lhs=left, rhs=AffineConstantExpr(value=factor)):
            return _most(left, is_added == (factor >= 0)) * factor
        case AffineBinaryOpExpr(kind=kind, lhs=left, rhs=right):
            return AffineExpr.binary(kind, _most(left, is_added), right)
    return item
