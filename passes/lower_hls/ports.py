"""The ports of a module's FPGA kernels, and the memory channels that they are joined to."""

from __future__ import annotations

from collections.abc import Mapping

from xdsl.dialects.builtin import ModuleOp

from hetc.dialects import fpga

Ports = Mapping[str, tuple[fpga.PortOp | None, ...]]
"""Kernel -> the port of each argument, None for one that is passed by value."""


def ports_of(module: ModuleOp) -> Ports:
    """The ports of each FPGA kernel, by the kernel's name."""
    kernels = [op for op in module.body.block.ops if isinstance(op, fpga.KernelOp)]
    return {
        op.sym_name.data: tuple(item if isinstance(item, fpga.PortOp) else None for item in op.interface)
        for op in kernels
    }


def channels_of(module: ModuleOp) -> Mapping[str, tuple[int | None, ...]]:
    """Kernel -> the memory channel that each argument is read or written through; None for what is passed by value and
    for a port that is joined to none."""
    return {kernel: tuple(_channel(port) for port in ports) for kernel, ports in ports_of(module).items()}


def _channel(port: fpga.PortOp | None) -> int | None:
    return None if port is None or port.bank.value.data < 0 else port.bank.value.data
