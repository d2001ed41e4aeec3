"""A streamed tensor's port: how wide its words are, and where word w of row t lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from xdsl.ir import Attribute

from hetc.dialects import fpga
from hetc.dialects.mp import TensorType, storage_bits
from hetc.passes.lower_hls.memory import Dense
from hetc.passes.lower_hls.rows import divides

LARGEST_JOINED_BITS = 1024  # the widest integer of the vendor's headers as they come


@dataclass(frozen=True)
class WordView:
    """`memory` is indexed like the tensor, but its last extent counts words of `lanes` elements. `steps` are the
    words along each dim of a row."""

    memory: Dense
    element: Attribute
    lanes: int
    steps: tuple[int, ...]


def lanes_of_row(type_: TensorType, window: Sequence[int], port_bits: int) -> int:
    """Elements of the widest word that the rows' last dim is a whole number of. A power of two, so that every row
    begins on a word whatever the capacities."""
    if not window:
        return 1
    last = type_.shape[window[-1]]
    assert isinstance(last, int)
    lanes = 1
    while last % (2 * lanes) == 0 and 2 * lanes * storage_bits(type_.element) <= port_bits:
        if type_.rows is not None and not divides(type_.rows, 2 * lanes):
            break
        lanes *= 2
    return lanes


def joins(steps: Sequence[int], element_bits: int, lanes: int) -> bool:
    """Whether a row's words are put side by side before it is used: several along the last dim, not too wide."""
    whole = prod(steps)
    return lanes > 1 and whole > 1 and whole == steps[-1] and whole * lanes * element_bits <= LARGEST_JOINED_BITS


def word_element(type_: TensorType, lanes: int) -> Attribute:
    """What a port of this width holds."""
    return type_.element if lanes == 1 else fpga.WordType(type_.element, lanes)


def row_steps(type_: TensorType, window: Sequence[int], lanes: int) -> tuple[int, ...]:
    """Words along each dim of a row."""
    extents = [type_.shape[position] for position in window]
    sizes = [extent for extent in extents if isinstance(extent, int)]
    assert len(sizes) == len(extents)
    return (*sizes[:-1], sizes[-1] // lanes) if sizes else ()


def word_shape(type_: TensorType, lanes: int) -> tuple[int | str, ...]:
    """The tensor's shape, counted in words."""
    if lanes == 1:
        return type_.shape
    last = type_.shape[-1]
    assert isinstance(last, int)
    return (*type_.shape[:-1], last // lanes)
