"""`hetc-opt`: xDSL's opt tool with our dialects and passes, which it finds through the entry point."""

from xdsl.xdsl_opt_main import xDSLOptMain


def main() -> None:
    """Run the tool on `sys.argv`."""
    xDSLOptMain().run()
