"""Draws what expressions mix and do less often: numbers beside floats, powers, shifts, bits, divisions that round."""

from __future__ import annotations

import math
from dataclasses import replace

from random_programs.expression_parts import Parts, index_of, is_exact
from random_programs.extents import Scope
from random_programs.rewrite import parts_of
from random_programs.tree import Age, Binary, Const, Expr, Read, Reduce, Unary, Var, is_position


def _varies(count: Expr) -> bool:
    """Whether a count is none that the compiler knows, which must lie in the width."""
    return any(
        isinstance(part, Var | Reduce | Age) or (isinstance(part, Read) and part.indices) for part in parts_of(count)
    )


def _is_condition(value: Expr) -> bool:
    """Whether a value is written as a condition, of which there are no bits."""
    return isinstance(value, Unary) and value.function == "as i32"


class MoreExpressions(Parts):
    """Draws mixed and rarer expressions."""

    def _number(self, scope: Scope, depth: int, exact: bool) -> Expr | None:
        """An integer, a condition or a quantised value where a float is expected: it counts as one."""
        choice = self.random.random()
        if choice < 0.3 and not exact:
            quantised = self._read("q", scope, False)
            if quantised is not None:
                return Unary("f", False, quantised.bound, 24, "as f32", quantised)
        kind = "b" if choice < 0.45 else "l" if choice > 0.95 and not exact else "i"
        inner = self._draw(kind, scope, depth, True)
        whole = kind != "l" and is_exact(inner.bound, 0)
        if (exact and not whole) or (kind == "l" and inner.kind != "l") or inner.bound > 2**40:
            return None
        return Unary("f", whole, inner.bound, 0 if whole else 24, "as f32", inner)

    def _power(self, scope: Scope, depth: int, exact: bool) -> Expr | None:
        """x ** 2 or x ** 3, by multiplication."""
        times = self.random.choice((2, 2, 3))
        inner = self._draw("f", scope, depth, exact)
        bound, bits = max(inner.bound, 1) ** times, inner.step_bits * times
        if bound > 1e6 or isinstance(inner, Const):
            return None
        whole = inner.exact and is_exact(bound, bits)
        return Binary("f", whole, bound, bits if whole else 24, "**", inner, Const("i", True, 3, 0, times))

    def _divided(self, scope: Scope, depth: int, exact: bool) -> Expr | None:
        """x // c and x % c of exact numbers, by a power of two."""
        left = self._draw("f", scope, depth, True)
        by = self.random.choice((0.5, 2.0, 4.0, -2.0))
        if not left.exact or left.bound > 1e5:
            return None
        right = Const("f", True, abs(by), 1, by)
        if self.random.random() < 0.5:
            return Binary("f", True, 2 * left.bound + 1, 0, "//", left, right)
        return Binary("f", True, abs(by), max(left.step_bits, 1), "%", left, right)

    def _two_floats(self, scope: Scope, depth: int) -> Expr | None:
        """atan2 beside the positive axis, pow of what is at least 1."""
        left, right = self._draw("f", scope, depth, False), self._draw("f", scope, depth - 1, False)
        one = Const("f", True, 1, 0, 1.0)
        if self.random.random() < 0.5:
            size = Unary("f", right.exact, right.bound, right.step_bits, "abs", right)
            return Binary("f", False, 2, 24, "atan2", left, Binary("f", False, right.bound + 1, 24, "+", size, one))
        if left.bound > 30:
            return None
        size = Unary("f", left.exact, left.bound, left.step_bits, "abs", left)
        base = Binary("f", False, left.bound + 1, 24, "+", size, one)
        exponent = Const("f", True, 2, 1, self.random.choice((0.5, 1.5, -1.0, 2.0, -0.5)))
        return Binary("f", False, (left.bound + 1) ** 2, 24, "pow", base, exponent)

    def _shifted(self, scope: Scope, depth: int) -> Expr | None:
        """2 ** e, or of another base, e mostly small, and bits of a number."""
        small = [name for name, (dim, _) in scope.items() if (self.dims[dim].size or 99) <= 8]
        two = Const("i", True, 2, 0, 2)
        base = self.random.choice((2, 2, 2, 3, 4, 7, -3))
        exponent: Expr
        if small and self.random.random() < 0.7:
            exponent = index_of(self.random.choice(small))
        else:
            five = Const("i", True, 5, 0, 5)
            exponent = Binary("i", True, 5, 0, "%", self._draw("i", scope, depth - 1, True), five)
        largest = float(abs(base) ** 8)
        power = Binary("i", True, largest, 0, "**", Const("i", True, abs(base), 0, base), exponent)
        if self.random.random() < 0.5:
            return power
        number = self._draw("i", scope, depth - 1, True)
        return Binary("i", True, 2, 0, "%", Binary("i", True, number.bound, 0, "//", number, power), two)

    def _rarer_integer(self, scope: Scope, depth: int) -> Expr | None:
        """A power, a condition that counts, a function of an integer, a division that rounds up."""
        choices = ("shift", "shift", "bits", "bits", "bits", "power", "condition", "function", "ceildiv")
        choice = self.random.choice(choices)
        if choice == "bits":
            left = self._draw("i", scope, depth, True)
            return self.bits("i", left, self._draw("i", scope, depth - 1, True))
        if choice == "shift":
            return self._shifted(scope, depth)
        if choice == "condition":
            return Unary("i", True, 1, 0, "as i32", self._draw("b", scope, depth, True))
        inner = self._draw("i", scope, depth, True)
        if isinstance(inner, Const):
            return None
        if choice == "power":
            return Binary("i", True, inner.bound**2, 0, "**", inner, Const("i", True, 2, 0, 2))
        if choice == "function":
            name = self.random.choice(("abs", "relu", "sign"))
            return Unary("i", True, inner.bound, 0, name, self._as_number(inner))
        other = self._draw("i", scope, depth - 1, True)
        return Binary("i", True, inner.bound + 1, 0, "ceildiv", inner, other)

    def bits(self, kind: str, left: Expr, right: Expr) -> Expr:
        """An operator on the bits of integers; what is shifted left by any count is masked, as it may be any number."""
        left, right = (replace(x, function="i32") if _is_condition(x) else x for x in (left, right))
        if self.random.random() < 0.2:
            return Unary(kind, True, left.bound + 1, 0, "~", left)
        operator = self.random.choice(("&", "&", "|", "^", "<<", "<<", ">>"))
        position = kind == "i" and (is_position(left) or is_position(right))
        if operator in ("<<", ">>") and not (_varies(right) and (operator == ">>" or not position)):
            count = self.random.randint(0, 6)
            bound = left.bound * 2**count if operator == "<<" else left.bound
            return Binary(kind, True, bound, 0, operator, left, Const("i", True, count, 0, count))
        if operator == "<<":
            mask = Const("i", True, 1023, 0, self.random.choice((255, 1023)))
            return Binary(kind, True, 1024, 0, "&", Binary(kind, True, 2.0**31, 0, operator, left, right), mask)
        bound = left.bound if operator == ">>" else 2.0 ** math.ceil(math.log2(max(left.bound, right.bound, 1) + 1))
        return Binary(kind, True, bound, 0, operator, left, right)

    def _as_number(self, value: Expr) -> Expr:
        """A position as a number."""
        return Unary("i", True, value.bound, 0, "i32", value) if value.kind == "x" else value

    def _rarer_condition(self, scope: Scope, depth: int) -> Expr | None:
        """Whether something is there; a comparison of integers of any size."""
        if self.random.random() < 0.7:
            kind = self.random.choice("fibx")
            value = self.pick(scope) if kind == "x" else self._draw(kind, scope, depth, False)
            return None if value is None else Unary("b", True, 1, 0, "present", value)
        left, right = self.wide_integer(scope), self.wide_integer(scope, 0)
        if left is None or right is None:
            return None
        return Binary("b", True, 1, 0, self.random.choice(("<", "<=", ">", ">=", "==", "!=")), left, right)

    def answered(self, kind: str, scope: Scope, exact: bool) -> Expr | None:
        """What stands at a place that may be missing, with an answer where it is."""
        for _ in range(6):
            read = self._read(kind, scope, exact)
            if isinstance(read, Read) and any(not isinstance(index, Var) for index in read.indices):
                answer = self._constant(kind)
                bound, bits = max(read.bound, answer.bound), max(read.step_bits, answer.step_bits)
                both = read.exact and (kind != "f" or is_exact(bound, bits))
                return Binary(kind, both, bound, bits, "coalesce", read, answer)
        return None

    def _condition_of_choice(self, scope: Scope, depth: int) -> Expr | None:
        """A choice between conditions."""
        return self._choose("b", scope, depth, True)

    def quantised(self, scope: Scope) -> Expr | None:
        """A quantised value as a float."""
        read = self._read("q", scope, False)
        return read if not isinstance(read, Read) else Unary("f", False, read.bound, 24, "f32", read)
