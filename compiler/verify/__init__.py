"""Executing a compiled pipeline on drawn inputs and checking every kernel against the oracle.

draw    random inputs, memory contents and extents of the declared shapes
run     executes the steps and compares what each kernel did with what it received
"""

from hetc.compiler.verify.draw import Draw, draw

__all__ = ["Draw", "draw"]
