"""Where elements lie: the C++ text of an element's place in an operand or a buffer."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, IndexType, i1, i32, i64
from xdsl.ir import Attribute

from hetc.backends.cxx import c_types
from hetc.backends.cxx.expressions import Expression, Style
from hetc.dialects import nest
from hetc.dialects.mp import RowsAttr, compute_type


def value_type(type: Attribute) -> str:
    """The C++ type of a number. Indices take 64 bits."""
    if isinstance(type, Float32Type):
        return "float"
    if isinstance(type, IndexType):
        return "int64_t"
    return {i1: "bool", i32: "int32_t", i64: "int64_t"}[type]  # type: ignore[index]


STYLE = Style(value_type, "hetc", (i64, IndexType()))


def decoded(element: Attribute, stored: str) -> Expression:
    """The value of a stored element, in the C++ type of its numbers."""
    text = c_types.decode(element, stored)
    if text != stored:
        return Expression(text, not text.endswith("!= 0"))
    wanted = value_type(compute_type(element))
    return Expression(text if wanted == c_types.storage(element) else f"{wanted}({stored})")


def capacity(extent: int | str) -> str:
    """An extent as buffers are allocated with it."""
    return str(extent) if isinstance(extent, int) else f"cap_{extent}"


def row_major(shape: Sequence[int | str], indices: Sequence[Expression]) -> str:
    """The number of an element, row-major over capacities."""
    if not indices:
        return "0"
    place = indices[0]
    for extent, index in zip(shape[1:], indices[1:], strict=True):
        text = f"{place.operand} * {capacity(extent)}"
        place = Expression(text if index.text == "0" else f"{text} + {index.operand}", False)
    return place.text


def in_order(type: nest.BufferType, order: Sequence[int] | None, indices: Sequence[Expression]) -> str:
    """The same with the dims in another order."""
    if order is None:
        return row_major(type.shape, indices)
    return row_major([type.shape[at] for at in order], [indices[at] for at in order])


def in_rows(table: str, shape: Sequence[int | str], axis: int, rows: RowsAttr, indices: Sequence[Expression]) -> str:
    """The number of an element of an operand whose rows lie by strides or in pages (see mp.rows), found through the
    table of that name."""
    parts = [_row(table, shape, axis, rows, indices)]
    if rows.offset.data:
        parts.append(str(rows.offset.data))
    if axis + 1 < len(shape):
        parts.append(row_major(shape[axis + 1 :], indices[axis + 1 :]))
    return " + ".join(part for part in parts if part != "0")


def _row(table: str, shape: Sequence[int | str], axis: int, rows: RowsAttr, indices: Sequence[Expression]) -> str:
    if not rows.is_paged:
        return f"({row_major(shape[: axis + 1], indices[: axis + 1])}) * {rows.row.data}"
    block, position = rows.block.data, indices[axis].operand
    entry = f"{position} / {block}"
    if axis:
        pages = f"(({capacity(shape[axis])} + {block - 1}) / {block})"
        entry = f"({row_major(shape[:axis], indices[:axis])}) * {pages} + {entry}"
    return f"int64_t({table}[{entry}]) * {rows.page.data} + {position} % {block} * {rows.row.data}"


def shared(loop: nest.ForOp) -> list[nest.ForOp]:
    """A parallel loop and those that are all that it holds: threads share their passes together."""
    found = [loop]
    while True:
        held = [op for op in found[-1].block.ops if not isinstance(op, arith.ConstantOp)]
        if len(held) != 1 or not isinstance(held[0], nest.ForOp) or not held[0].is_bound(nest.PARALLEL):
            return found
        found.append(held[0])


def is_shared(loop: nest.ForOp) -> bool:
    """Whether a parallel loop is one of another's."""
    outer = loop.parent_op()
    return isinstance(outer, nest.ForOp) and outer.is_bound(nest.PARALLEL) and loop in shared(outer)


def if_several(limits: Sequence[tuple[str, str, int]]) -> str:
    """The clause of parallel loops that starts no other thread for a single pass. limits: lower, upper and step."""
    conditions = []
    for lower, upper, step in limits:
        if lower.isdigit() and upper.isdigit():
            if int(upper) - int(lower) > step:
                return ""
            continue
        passes = upper if lower == "0" else f"{upper} - {lower}"
        conditions.append(f"{passes} > {step}")
    return f" if ({' || '.join(conditions)})" if conditions else ""
