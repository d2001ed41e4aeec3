"""The rows of `benchmarks/cpu.py`: each a small pipeline, its inputs, and what a user could run instead."""
