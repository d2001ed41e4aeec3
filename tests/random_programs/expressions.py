"""Draws random expressions of a wanted kind from what is in scope, keeping track of exactness."""

from __future__ import annotations

import math

from random_programs.expression_parts import is_exact
from random_programs.extents import Scope
from random_programs.more_expressions import MoreExpressions
from random_programs.tree import (
    Binary,
    Const,
    DimValue,
    Expr,
    Unary,
    Var,
)

_FUNCTIONS = (
    "tanh", "sigmoid", "sin", "cos", "relu", "abs", "silu", "erf", "gelu", "softplus", "floor", "ceil", "round", "sign"
)  # fmt: skip
_STEPS = ("floor", "ceil", "round", "sign")


class Expressions(MoreExpressions):
    """Draws expressions of the four kinds."""

    def of_kind(self, kind: str, scope: Scope, depth: int, *, exact: bool = False) -> Expr:
        """An expression of kind f, i, x or b; with `exact` a float is exact (or the kind's leaf is a constant)."""
        return self._draw(kind, scope, depth, exact)

    def _draw(self, kind: str, scope: Scope, depth: int, exact: bool) -> Expr:
        if kind != "l" and self.random.random() < 0.04:
            answered = self.answered(kind, scope, exact)
            if answered is not None and (answered.exact or not exact) and answered.bound < 1e8:
                return answered
        for _ in range(20):
            drawn = {"f": self._float, "i": self._integer, "l": self._long, "b": self._condition}[kind](
                scope, depth, exact
            )
            if drawn is not None and (not exact or drawn.exact) and drawn.bound < (2**60 if kind == "l" else 1e8):
                return drawn
        return self._constant(kind)

    def _constant(self, kind: str) -> Expr:
        if kind == "b":
            return Const("b", True, 1, 0, self.random.random() < 0.5)
        if kind == "f":
            return Const("f", True, 2, 2, self.random.randint(-8, 8) / 4)
        return Const(kind, True, 4, 0, self.random.randint(-4, 4))

    def one(self, kind: str = "i") -> Const:
        return Const(kind, True, 1, 0, 1.0 if kind == "f" else 1)

    # Floats

    def _float(self, scope: Scope, depth: int, exact: bool) -> Expr | None:
        if depth <= 0:
            return self._leaf("f", scope, exact)
        choices = [self._reduce_float, self._binary_float, self._where, self._from_integer, self._rounded, self._called]
        choices += [self._power, self._divided]
        weights = [10, 10, 4, 2, 2, 2, 1, 1]
        if not exact:
            choices.append(self._function)
            weights.append(4)
        make = self.random.choices(choices, weights)[0]
        return make(scope, depth - 1, exact)

    def _binary_float(self, scope: Scope, depth: int, exact: bool) -> Expr:
        operator = self.random.choice(["+", "-", "*", "*", "min", "max"] + ([] if exact else ["/"]))
        left = self._draw("f", scope, depth, exact)
        number = self._number(scope, depth - 1, exact) if self.random.random() < 0.2 else None
        right = number or self._draw("f", scope, depth - 1, exact)
        if operator == "/":
            if number is not None:
                left, right = number, left
            one = Const("f", True, 1, 0, 1.0)
            size = Unary("f", right.exact, right.bound, right.step_bits, "abs", right)
            right = Binary("f", False, right.bound + 1, 24, "+", size, one)
            return Binary("f", False, left.bound, 24, "/", left, right)
        if operator == "*":
            bound, bits = left.bound * right.bound, left.step_bits + right.step_bits
        elif operator in ("+", "-"):
            bound, bits = left.bound + right.bound, max(left.step_bits, right.step_bits)
        else:
            bound, bits = max(left.bound, right.bound), max(left.step_bits, right.step_bits)
        return Binary("f", left.exact and right.exact and is_exact(bound, bits), bound, bits, operator, left, right)

    def _function(self, scope: Scope, depth: int, exact: bool) -> Expr | None:
        name = self.random.choice((*_FUNCTIONS, "exp", "sqrt", "rsqrt", "log", "two"))
        if name == "two":
            return self._two_floats(scope, depth)
        inner = self._draw("f", scope, depth, name in _STEPS)
        if name in _STEPS and not inner.exact:
            return None
        if name == "exp":
            return Unary("f", False, math.exp(inner.bound), 24, name, inner) if inner.bound <= 8 else None
        if name in ("sqrt", "rsqrt", "log"):
            size = Unary("f", inner.exact, inner.bound, inner.step_bits, "abs", inner)
            inner = Binary("f", False, inner.bound + 1, 24, "+", size, Const("f", True, 1, 0, 1.0))
            return Unary("f", False, inner.bound, 24, name, inner)
        kept = name in ("relu", "abs", *_STEPS)
        bound = inner.bound + 1 if kept or name in ("silu", "gelu", "softplus") else 1
        return Unary("f", inner.exact and kept, bound, inner.step_bits if kept else 24, name, inner)

    def _called(self, scope: Scope, depth: int, exact: bool) -> Expr | None:
        if not exact and self.random.random() < 0.6:
            return self._over_an_index(scope, depth)
        return self._call("f", scope, depth, exact)

    def _from_integer(self, scope: Scope, depth: int, exact: bool) -> Expr:
        if not exact and self.random.random() < 0.3:
            quantised = self.quantised(scope)
            if quantised is not None:
                return quantised
        inner = self._draw("i", scope, depth, True)
        return Unary("f", is_exact(inner.bound, 0), inner.bound, 0, "f32", inner)

    def _rounded(self, scope: Scope, depth: int, exact: bool) -> Expr | None:
        """A cast of an exact value to a narrow float, which rounds it to a multiple of a larger power of two."""
        inner = self._draw("f", scope, depth, True)
        if not inner.exact or inner.step_bits > 8 or inner.bound > 30000:  # f16 holds no more
            return None
        name = self.random.choice(("bf16", "f16", "fp8", "fp8e5m2", "fp4", "e8m0" if not exact else "fp4"))
        if name == "e8m0":  # what is not above 0 becomes a number that needs more places than others have
            return Unary("f", False, 1.5 * inner.bound + 1, 24, name, inner)
        return Unary("f", True, inner.bound * 1.25, inner.step_bits, name, inner)

    def _reduce_float(self, scope: Scope, depth: int, exact: bool) -> Expr | None:
        function = self.random.choice(["sum", "sum", "sum", "max", "min", "prod"] + ([] if exact else ["mean"]))
        return self._reduce("f", function, "f", scope, depth, exact)

    # Integers and conditions

    def _integer(self, scope: Scope, depth: int, exact: bool) -> Expr | None:
        if depth <= 0:
            leaf = self.random.choice(("read", "read", "index", "dim", "age", "pick"))
            if leaf == "index" and scope:
                name = self.random.choice(list(scope))
                return Var("x", True, 64, 0, name)
            if leaf == "dim":
                return self._dim_value(scope)
            if leaf == "pick":
                pick = self.pick(scope)
                return Unary("i", True, 64, 0, "i32", pick) if pick is not None and pick.bound <= 64 else None
            if leaf == "age":
                return self.age(scope) or self._leaf("i", scope, True)
            return self._leaf("i", scope, True)
        if self.random.random() < 0.03:
            return self._call("i", scope, depth - 1, True)
        if self.random.random() < 0.12:
            return self._rarer_integer(scope, depth - 1)
        choices = [self._binary_integer, self._reduce_integer, self._count, self._where_integer, self._cast_integer]
        return self.random.choices(choices, [4, 3, 2, 1, 1])[0](scope, depth - 1, True)

    def _cast_integer(self, scope: Scope, depth: int, exact: bool) -> Expr | None:
        """From a float or an i64, to a narrow integer, or the place of an extreme as a number."""
        source = self.random.choice("fflnx")
        if source == "x":
            place = self.argument(scope, depth)
            return None if place is None else Unary("i", True, 64, 0, "i32", place)
        if source == "n":
            name, bound = self.random.choice(
                (("i8", 128), ("u8", 255), ("i16", 2**15), ("i4", 8), ("u4", 15), ("i2", 2), ("u2", 3))
            )
            return Unary("i", True, bound, 0, name, self._draw("i", scope, depth, True))
        inner = self._draw(source, scope, depth, True)
        if not inner.exact or inner.kind != source:
            return None
        return Unary("i", True, 2**31 if source == "l" else inner.bound, 0, "i32", inner)

    def _long(self, scope: Scope, depth: int, exact: bool) -> Expr | None:
        """An i64: something declared i64 is in it, since the language takes i64 where one side is."""
        if depth <= 0:
            return self._read("l", scope, True)
        if self.random.random() < 0.15:
            return Unary("l", True, 2**31, 0, "i64", self._draw("i", scope, depth - 1, True))
        make = self.random.choice(("binary", "binary", "binary", "bits", "reduce", "where", "leaf"))
        left = self._read("l", scope, True) if make in ("leaf", "binary", "bits") else None
        if make == "reduce":
            return self._reduce("l", self.random.choice(("sum", "max", "min")), "l", scope, depth - 1, True)
        if make == "where":
            return self._choose("l", scope, depth - 1, True)
        if make == "leaf" or left is None:
            return left
        right = self._draw(self.random.choice("il"), scope, depth - 1, True)
        if make == "bits":
            return self.bits("l", left, right)
        operator = self.random.choice(["+", "-", "*", "//", "%", "min", "max"])
        bound = left.bound * right.bound if operator == "*" else left.bound + right.bound + 1
        return Binary("l", True, bound, 0, operator, left, right)

    def _dim_value(self, scope: Scope) -> Expr:
        names = [dim for dim in self.dims.values() if not dim.name.isdigit()]
        dim = self.random.choice(names)
        if dim.per is not None:
            rows = [name for name, (over, _) in scope.items() if over == dim.per]
            if not rows:
                return Const("i", True, 4, 0, 3)
            return DimValue("x", True, dim.bound, 0, dim.name, self.random.choice(rows))
        return DimValue("x", True, dim.size or dim.bound, 0, dim.name, None)

    def _binary_integer(self, scope: Scope, depth: int, exact: bool) -> Expr:
        operator = self.random.choice(["+", "-", "*", "//", "%", "min", "max"])
        left, right = self._draw("i", scope, depth, True), self._draw("i", scope, depth - 1, True)
        if operator == "*":
            bound = left.bound * right.bound
        elif operator in ("+", "-"):
            bound = left.bound + right.bound
        else:
            bound = max(left.bound, right.bound) + 1
        return Binary("i", True, bound, 0, operator, left, right)

    def _reduce_integer(self, scope: Scope, depth: int, exact: bool) -> Expr | None:
        function = self.random.choice(["sum", "sum", "max", "min", "prod"])
        inner = "b" if function == "sum" and self.random.random() < 0.15 else "i"
        return self._reduce("i", function, inner, scope, depth, True)

    def _count(self, scope: Scope, depth: int, exact: bool) -> Expr | None:
        return self._reduce("i", "count", "b", scope, depth, True)

    def _where_integer(self, scope: Scope, depth: int, exact: bool) -> Expr:
        return self._choose("i", scope, depth, True)

    def _condition(self, scope: Scope, depth: int, exact: bool) -> Expr | None:
        if depth > 0 and self.random.random() < 0.3:
            if self.random.random() < 0.4:
                return Unary("b", True, 1, 0, "not ", self._draw("b", scope, depth - 1, True))
            pair = (self._draw("b", scope, depth - 1, True), self._draw("b", scope, depth - 1, True))
            return Binary("b", True, 1, 0, self.random.choice(("and", "or")), *pair)
        if depth > 0 and self.random.random() < 0.05:
            return self._condition_of_choice(scope, depth - 1)
        if self.random.random() < 0.04:
            return self._constant("b")
        if depth > 0 and self.random.random() < 0.15:
            return self._reduce("b", self.random.choice(("any", "all")), "b", scope, depth - 1, True)
        if depth > 0 and self.random.random() < 0.12:
            return self._rarer_condition(scope, depth - 1)
        if depth <= 0 and self.random.random() < 0.5:
            return self._read("b", scope, True)
        kind = self.random.choice("fffiiil")
        left = self._draw(kind, scope, depth - 1, True)
        if left.kind != kind:
            return None
        return self._compare(
            left, self._constant(kind) if self.random.random() < 0.6 else self._draw(kind, scope, 0, True)
        )

    def _compare(self, left: Expr, right: Expr) -> Expr:
        operator = self.random.choice(("<", "<=", ">", ">=", "==", "!="))
        return Binary("b", True, 1, 0, operator, left, right)

    # Shared

    def _where(self, scope: Scope, depth: int, exact: bool) -> Expr:
        return self._choose("f", scope, depth, exact)
