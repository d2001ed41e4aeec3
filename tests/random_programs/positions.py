"""Draws positions: what stands in brackets beside plain indices, near and far, and values made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from random_programs.extents import Scope
from random_programs.tree import Binary, Const, DimValue, Expr, Read, Tensor, Var, Where, is_position

if TYPE_CHECKING:
    from random_programs.declarations import Drawing

WIDE = 2.0**30
"""Integers from here on are read by what is made for it alone."""
_STRIDES = (2**15, 2**16, 2**24 + 1, 2**30, 2**31, 3 * 2**31, 2**40)


def index_of(name: str) -> Var:
    return Var("x", True, 64, 0, name)


def _number(value: int) -> Const:
    return Const("x", True, abs(value), 0, value)


class Positions:
    """Draws positions over what can be read where `drawing` stands."""

    def __init__(self, drawing: Drawing) -> None:
        self.drawing = drawing
        self.random = drawing.random
        self.dims = drawing.dims

    def _draw(self, kind: str, scope: Scope, depth: int, exact: bool) -> Expr:
        """An expression of kind f, i, l or b; with `exact` a float is exact."""
        raise NotImplementedError

    def _indices(self, tensor: Tensor, scope: Scope) -> tuple[Expr, ...] | None:
        """What stands in the brackets of a read."""
        raise NotImplementedError

    def argument(self, scope: Scope, depth: int) -> Expr | None:
        """The place of an exact extreme: argmax or argmin over a dim."""
        raise NotImplementedError

    def _position(self, dim: str, row: str | None, scope: Scope, plain: list[str]) -> Expr:
        """An index that is not alone: shifted, scaled, picked or constant; it may fall outside."""
        choice = self.random.random()
        if choice > 0.95:
            place = self.argument(scope, 1)
            if place is not None:
                return place
        if choice < 0.06:
            far = self.far(scope)
            if far is not None:
                return far
        known = self.dims[dim]
        wide = [name for name, (over, _) in scope.items() if known.derived and known.size and over == known.derived[1]]
        if wide and choice < 0.8 and known.derived and known.derived[0] == "//":
            block = Const("x", True, 8, 0, float(known.derived[2]))
            return Binary("x", True, 64, 0, "//", index_of(self.random.choice(wide)), block)
        if known.per is None and known.size is None and dim != "B" and choice > 0.85:
            return self._last(DimValue("x", True, known.bound, 0, dim, None))
        if known.per and row and choice > 0.85:
            return self._last(DimValue("x", True, known.bound, 0, dim, row))
        if choice < 0.4:
            pick = self.pick(scope)
            if pick is not None:
                return pick if self.random.random() < 0.5 else self._moved(pick, scope)
        names = plain or list(scope)
        if not names or choice > 0.9:
            return Const("x", True, 4, 0, self.random.randint(0, 3))
        return self._moved(index_of(self.random.choice(names)), scope)

    def _last(self, size: DimValue) -> Expr:
        """Counted from the end."""
        back = Const("x", True, 3, 0, self.random.randint(1, 3))
        return Binary("x", True, 64, 0, "-", size, back)

    def _moved(self, index: Expr, scope: Scope) -> Expr:
        if self.random.random() < 0.3:
            factor: Expr = Const("x", True, 3, 0, self.random.choice((2, 3)))
            small = [name for name, (dim, _) in scope.items() if (self.dims[dim].size or 99) <= 5]
            if small and self.random.random() < 0.25:
                two = Const("i", True, 2, 0, 2)
                factor = Binary("i", True, 32, 0, "**", two, index_of(self.random.choice(small)))
            index = Binary("x", True, 128, 0, self.random.choice(("*", "//", "%")), index, factor)
        if self.random.random() < 0.3 and len(scope) > 1:
            return Binary("x", True, 256, 0, "+", index, index_of(self.random.choice(list(scope))))
        shift = Const("x", True, 3, 0, self.random.randint(1, 3))
        return Binary("x", True, 128, 0, self.random.choice("+-"), index, shift)

    def pick(self, scope: Scope) -> Expr | None:
        """An element of a tensor of positions."""
        return self._element("x", scope, lambda tensor: bool(tensor.dims) and not tensor.name.startswith("any"))

    def _element(self, kind: str, scope: Scope, wanted: Callable[[Tensor], bool]) -> Expr | None:
        found = [item for item in self.drawing.names.values() if item.kind == kind and wanted(item)]
        self.random.shuffle(found)
        for tensor in found:
            indices = self._indices(tensor, scope)
            if indices is not None:
                return Read(kind, True, tensor.bound, 0, tensor.name, indices)
        return None

    def wide_integer(self, scope: Scope, depth: int = 1) -> Expr | None:
        """An i32 of any size, and arithmetic that wraps."""
        read = self._element("i", scope, lambda tensor: tensor.bound >= WIDE)
        if read is None or depth == 0 or self.random.random() < 0.4:
            return read
        operator = self.random.choice(("+", "-", "*", "min", "max", "//", "%", "ceildiv", "&", "|", "^", "<<", ">>"))
        other = self.wide_integer(scope, 0) if self.random.random() < 0.4 else None
        numbers = (0, 3, 16, 31) if operator in ("<<", ">>") else (3, -7, 2**16, 2**24 + 1)
        right = other or Const("i", True, 2**24, 0, self.random.choice(numbers))
        return Binary("i", True, 2.0**31, 0, operator, read, right)

    def far(self, scope: Scope) -> Expr | None:
        """A position that 32 bits may not hold, and now and then not 64."""
        names = list(scope)
        choice = self.random.choice(("stride", "stride", "wide", "wide", "long", "beyond", "back", "divided"))
        if choice == "long":
            place = self._element("l", scope, lambda tensor: tensor.bound >= 2.0**62)
            if place is None or not names or self.random.random() < 0.5:
                return place
            return Binary("l", True, 2.0**63, 0, "+", place, index_of(self.random.choice(names)))
        if choice == "wide":
            place = self.wide_integer(scope)
            if place is None or not names or self.random.random() < 0.3:
                return place
            return self._joined(self.random.choice("+-*"), place, index_of(self.random.choice(names)))
        if not names:
            return None
        name, stride = index_of(self.random.choice(names)), self.random.choice(_STRIDES)
        place = self._joined("*", name, _number(stride))
        if choice == "divided":
            operator, number = self.random.choice((("//", stride), (">>", 33), ("&", 2**33 - 1), ("^", 1), ("|", 1)))
            return self._joined(operator, place, _number(number))
        if choice == "back":
            place = self._joined("-", place, self._joined("*", name, _number(stride)))
        elif choice == "beyond":
            place = self._joined("*", place, _number(self.random.choice((2**24, 2**40, 2**62))))
        if self.random.random() < 0.5:
            return place
        other = (
            index_of(self.random.choice(names)) if self.random.random() < 0.5 else _number(self.random.randint(1, 3))
        )
        return self._joined(self.random.choice("+-"), place, other)

    def _joined(self, operator: str, left: Expr, right: Expr) -> Expr:
        bound = {"*": left.bound * right.bound, "+": left.bound + right.bound, "-": left.bound + right.bound}
        return Binary("x", True, bound.get(operator, left.bound + 1), 0, operator, left, right)

    def position_value(self, scope: Scope) -> Expr | None:
        """A value that is a position: a pick and what is made of one, a far one, the place of an extreme."""
        choice = self.random.choice(("pick", "moved", "moved", "far", "where", "coalesce", "bounded", "argument"))
        if choice == "argument":
            return self.argument(scope, 1)
        if choice == "far":
            place = self.far(scope)
            return place if place is not None and is_position(place) else None
        pick = self.pick(scope)
        if pick is None or choice == "pick":
            return pick
        if choice == "moved":
            return self._moved(pick, scope) if pick.bound < 2.0**40 else None
        if choice == "where":
            condition = self._draw("b", scope, 1, True)
            other = self.pick(scope) if self.random.random() < 0.5 else None
            return Where("x", True, max(pick.bound, other.bound if other else 0), 0, condition, pick, other)
        if choice == "coalesce":
            return Binary("x", True, max(pick.bound, 4), 0, "coalesce", pick, _number(self.random.randint(-1, 3)))
        if pick.bound > 2.0**40:
            return None
        operator = self.random.choice(("%", "//", "min", "max"))
        return Binary("x", True, pick.bound + 4, 0, operator, pick, _number(self.random.randint(2, 4)))
