"""The tile dialect."""

from xdsl.ir import Dialect

TILE = Dialect("tile", [], [])
