"""Typed tree to operations of the mp dialect."""
