"""A pipeline in upstream MLIR's dialects, and upstream's own judgement of it.

lowering      the expanded module as text in upstream dialects, and what was left out
verification  upstream's parser, verifier and canonicaliser on that text
"""

from hetc.compiler.upstream.lowering import Lowered, lower
from hetc.compiler.upstream.verification import CANONICALISER, PACKAGE, Verdict, load_bindings, verify

__all__ = ["CANONICALISER", "PACKAGE", "Lowered", "Verdict", "load_bindings", "lower", "verify"]
