"""Executing a compiled pipeline on drawn inputs and checking it against the oracle.

draw      random inputs, memory contents and extents of the declared shapes
given     a file of tensors in their place
room      whether the machine has the memory, and how long it will take
run       executes the steps
kernels   compares what each kernel made with the oracle on the inputs that the kernel received
memories  compares what each memory holds with what it must hold
"""

from hetc.compiler.verify.draw import Draw, draw
from hetc.compiler.verify.given import read_arrays
from hetc.compiler.verify.report import Row, RunReport
from hetc.compiler.verify.run import run

__all__ = ["Draw", "Row", "RunReport", "draw", "read_arrays", "run"]
