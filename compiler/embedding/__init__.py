"""Pipelines written as Python functions: their text is read as syntax, never executed.

`words` are the names that such a function uses, `source` finds its text, `read` makes the same syntax tree of it that
the parser makes of a `.mp` file.
"""
