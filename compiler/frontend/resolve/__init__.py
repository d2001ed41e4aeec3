"""Syntax tree to typed tree: what names stand for, extents, constants."""
