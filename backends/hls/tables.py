"""The contents of constant tables, as C++ initialisers."""

from __future__ import annotations

import numpy as np

from hetc.backends.cxx.expressions import float_literal
from hetc.dialects import fpga
from hetc.dialects.mp import dtype_name
from hetc.numerics.rounding import to_bits

ITEMS_A_LINE = 12


def table_rows(op: fpga.TableOp) -> list[str]:
    """Lines of items in row-major order. Braces inside are left out, as C++ allows."""
    type_ = op.result.type
    name = dtype_name(type_.element)
    values = list(op.value.get_values())
    if len(values) == 1:
        values = values * int(np.prod(type_.extents))
    if name in ("f16", "bf16", "fp8", "fp8e5m2"):
        items = [str(int(code)) for code in np.atleast_1d(to_bits(np.asarray(values, dtype=np.float64), name))]
    elif name == "f32":
        items = [float_literal(float(value)).text for value in values]  # type: ignore[arg-type]
    elif name == "i64":
        items = [f"{int(value)}LL" if value != -(1 << 63) else "-9223372036854775807LL - 1" for value in values]  # type: ignore[arg-type]
    else:
        items = [str(int(value)) for value in values]  # type: ignore[arg-type]
    lines = [items[start : start + ITEMS_A_LINE] for start in range(0, len(items), ITEMS_A_LINE)]
    return [", ".join(line) + "," for line in lines]
