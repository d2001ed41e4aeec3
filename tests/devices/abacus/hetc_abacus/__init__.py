"""A device kind in a package of its own: kernels are loops printed as Python, and a runtime that calls them."""
