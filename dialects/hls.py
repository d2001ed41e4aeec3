"""The hls dialect."""

from xdsl.ir import Dialect

HLS = Dialect("hls", [], [])
