"""The oracle: executes mp modules directly in float64, sharing no arithmetic with the lowerings.

environment  live extents, limits, errors          lanes       a value over all index combinations, and presence
sparse       SparseMatrix                          region      regions; arithmetic, reads, reduction, contraction
tensors      Tensor: array, presence, magnitude    statements  each statement; grid, selection, memory
step         run_step, run_kernel                  magnitude   what tolerances are relative to
compare      verdicts on values                    compare_selection  on topk and select, and on any Tensor
"""

from hetc.backends.reference.compare import Verdict, compare_values
from hetc.backends.reference.compare_selection import compare_selected_scores, compare_selection, compare_tensor
from hetc.backends.reference.environment import Environment, OracleError, OutOfBoundsError
from hetc.backends.reference.sparse import SparseMatrix
from hetc.backends.reference.step import StepResult, run_kernel, run_step
from hetc.backends.reference.tensors import SparseTensor, Tensor

__all__ = [
    "Environment",
    "OracleError",
    "OutOfBoundsError",
    "SparseMatrix",
    "SparseTensor",
    "StepResult",
    "Tensor",
    "Verdict",
    "compare_selected_scores",
    "compare_selection",
    "compare_tensor",
    "compare_values",
    "run_kernel",
    "run_step",
]
