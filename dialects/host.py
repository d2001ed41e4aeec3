"""The host dialect."""

from xdsl.ir import Dialect

HOST = Dialect("host", [], [])
