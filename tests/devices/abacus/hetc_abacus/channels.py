"""Which rod of an abacus each argument of a kernel lies on: one after the other."""

from __future__ import annotations

from xdsl.dialects.builtin import ModuleOp

from hetc_abacus.printer import kernels

RODS = 4


def channels_of(module: ModuleOp) -> dict[str, tuple[int | None, ...]]:
    """Kernel -> rods; a capacity is told, and lies on none."""
    return {
        kernel.sym_name.data: tuple(
            None if item.role.data == "capacity" else position % RODS for position, item in enumerate(kernel.arguments)
        )
        for kernel in kernels(module)
    }
