"""Triton text of the tile dialect. `device` is the manifest of the kind `gpu`."""
