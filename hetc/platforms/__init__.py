"""Devices, the platforms that they form, and the figures that estimates are made from.

A device stands in `devices/NAME.toml`, a platform in `NAME.toml` beside this file, or in a folder of the package of a
device kind. Every figure carries the source that it was taken from; an estimate says that it is one.
"""

from hetc.platforms.device import Device, HostLink, Link, Processor
from hetc.platforms.figure import Figure
from hetc.platforms.files import DEFAULT_PLATFORM, list_devices, list_platforms
from hetc.platforms.load import all_platforms, load_platform
from hetc.platforms.platform import PeerLink, Platform
from hetc.platforms.show import Row, format_figure, show_rows

__all__ = [
    "DEFAULT_PLATFORM",
    "Device",
    "Figure",
    "HostLink",
    "Link",
    "PeerLink",
    "Platform",
    "Processor",
    "Row",
    "all_platforms",
    "format_figure",
    "list_devices",
    "list_platforms",
    "load_platform",
    "show_rows",
]
