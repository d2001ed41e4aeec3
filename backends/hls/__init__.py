"""Prints fpga kernels as HLS C++ projects. `check` first, then `emit`; nothing is decided here."""

from hetc.backends.hls.project import check, emit

__all__ = ["check", "emit"]
