"""The IR of the compiler, one package or module a dialect."""

from hetc.dialects.formats import defer_formats

# Before any of them is imported, and upstream's that they use.
defer_formats()
