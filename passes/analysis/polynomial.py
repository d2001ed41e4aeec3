"""Closed forms in the symbolic dims: sums of products, enough for work and traffic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Monomial = tuple[str, ...]


@dataclass(frozen=True)
class Polynomial:
    """A polynomial in dim names with float coefficients; `terms` maps a sorted tuple of names (repeated for powers,
    empty for the constant) to its coefficient."""

    terms: tuple[tuple[Monomial, float], ...] = ()

    @classmethod
    def of(cls, value: Polynomial | float | str) -> Polynomial:
        """A number, or the dim named `value`."""
        if isinstance(value, Polynomial):
            return value
        if isinstance(value, str):
            return cls((((value,), 1.0),))
        return cls((((), float(value)),)) if value else cls()

    def __add__(self, other: Polynomial | float) -> Polynomial:
        return _collect([*self.terms, *Polynomial.of(other).terms])

    def __mul__(self, other: Polynomial | float | str) -> Polynomial:
        right = Polynomial.of(other)
        return _collect([(tuple(sorted(a + b)), x * y) for a, x in self.terms for b, y in right.terms])

    def evaluate(self, dims: Mapping[str, float]) -> float:
        """The value at `dims`; KeyError names a dim that is missing."""
        total = 0.0
        for names, coefficient in self.terms:
            product = coefficient
            for name in names:
                product *= dims[name]
            total += product
        return total

    @property
    def dims(self) -> frozenset[str]:
        return frozenset(name for names, _ in self.terms for name in names)

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __str__(self) -> str:
        return " + ".join(_term(names, coefficient) for names, coefficient in self.terms) or "0"


def _collect(terms: list[tuple[Monomial, float]]) -> Polynomial:
    summed: dict[Monomial, float] = {}
    for names, coefficient in terms:
        summed[names] = summed.get(names, 0.0) + coefficient
    kept = [(names, value) for names, value in summed.items() if value]
    return Polynomial(tuple(sorted(kept, key=lambda item: (-len(item[0]), item[0]))))


def _term(names: Monomial, coefficient: float) -> str:
    number = f"{coefficient:,.0f}" if coefficient == int(coefficient) else f"{coefficient:.4g}"
    if not names:
        return number
    powers = [
        f"{name}^{count}" if (count := names.count(name)) > 1 else name for name in sorted(set(names), key=names.index)
    ]
    return " ".join(([] if coefficient == 1 else [number]) + powers)
