"""Operators on the bits of integers: `& | ^ << >> ~`, of i32 and i64 in two's complement, of indices exact.

A shift by less than none or by all bits and more leaves nothing of the bits: 0, of `>>` the sign (0 or -1). mp gives
arith.shli and arith.shrsi that meaning. An index is shifted left by what is known to lie in 0 .. 62: as a product with
a power of two, which is absent where 64 bits do not hold it.
"""

from __future__ import annotations

from collections.abc import Callable

from xdsl.dialects import arith
from xdsl.dialects.builtin import f32, i1, i32, i64
from xdsl.ir import Attribute, Operation, SSAValue

from hetc.compiler.frontend.arithmetic.operations import Arithmetic, TypeMismatch, Value, index, type_name, type_of
from hetc.dialects.mp import Interval

_BITWISE: dict[str, Callable[[SSAValue, SSAValue], Operation]] = {
    "&": arith.AndIOp, "|": arith.OrIOp, "^": arith.XOrIOp,
}  # fmt: skip
OPERATORS = (*_BITWISE, "<<", ">>")
_OF_CONDITIONS = {"&": "write `and`", "|": "write `or`", "^": "write `!=`", "~": "write `not`"}
_LARGEST_COUNT: dict[Attribute, int] = {i32: 31, i64: 63, index: 62}


def check_integers(operator: str, *values: Value) -> None:
    """Raises TypeMismatch where a value is none that has bits."""
    for value in values:
        if type_of(value) == i1:
            of_conditions = _OF_CONDITIONS.get(operator)
            number = "`i32(...)` makes a number of a condition"
            help = f"{of_conditions} of conditions; {number}" if of_conditions else number
            raise TypeMismatch(f"`{operator}` is of integers, found bool", help)
        if type_of(value) == f32:
            help = "a cast makes an integer: `i32(...)`"
            raise TypeMismatch(f"`{operator}` is of integers, found {type_name(type_of(value))}", help)


def bitwise(arithmetic: Arithmetic, operator: str, left: Value, right: Value) -> SSAValue:
    """`left operator right`, never of two constants (those are folded)."""
    check_integers(operator, left, right)
    a, b = arithmetic.join([left, right])
    arithmetic.check_held(operator, a, b)
    if operator in _BITWISE:
        return arithmetic.add(_BITWISE[operator](a, b))
    most = _LARGEST_COUNT[a.type]
    if not isinstance(right, SSAValue) and not 0 <= right <= most:
        raise TypeMismatch(f"the count of a shift of {type_name(a.type)} is 0 to {most}, not {right}")
    if operator == ">>":
        return arithmetic.add(arith.ShRSIOp(a, b))
    return _index_shifted_left(arithmetic, left, a, b) if a.type == index else arithmetic.add(arith.ShLIOp(a, b))


def inverted(arithmetic: Arithmetic, value: SSAValue) -> SSAValue:
    """`~value`: -1 - value."""
    check_integers("~", value)
    arithmetic.check_held("~", value)
    return arithmetic.add(arith.XOrIOp(value, arithmetic.constant(-1, value.type)))


def _index_shifted_left(arithmetic: Arithmetic, left: Value, shifted: SSAValue, by: SSAValue) -> SSAValue:
    count = arithmetic.intervals.of(by)
    if not count.within(Interval(0, _LARGEST_COUNT[index])):
        message = (
            f"an index is shifted left by 0 to {_LARGEST_COUNT[index]}; this count lies in {count.low} .. {count.high}"
        )
        raise TypeMismatch(message, "`i64(...)` makes a number of an index, which is shifted by any count")
    if count.low == count.high:
        return arithmetic.binary("*", shifted, arithmetic.constant(1 << count.low, index))
    power = arithmetic.add(arith.ShLIOp(arithmetic.constant(1, index), by))
    return power if left == 1 and isinstance(left, int) else arithmetic.binary("*", shifted, power)
