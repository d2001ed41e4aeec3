"""Writing rows at computed places of a dense memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from hetc.runtime.buffers import Buffer, LayeredBuffer
from hetc.runtime.memory import DenseMemory
from hetc.runtime.regions import Lengths, region_rows


@dataclass(frozen=True)
class Pieces:
    """What is written: `numbers` count pieces of `width` elements of the memory, row-major over its capacities,
    `source` those of the rows."""

    numbers: NDArray[np.int64]
    source: NDArray[np.int64]
    width: int


def pieces_of(
    memory: Buffer | LayeredBuffer,
    rows: Buffer,
    places: Buffer,
    over: Sequence[int],
    pers: Mapping[str, str],
    lengths: Lengths,
) -> Pieces:
    """Which pieces go where. `places`, on the host, has the leading extents of `rows`, and numbers over the extents
    `over`, row-major; a negative one writes nothing."""
    width = prod(rows.shape[len(places.shape) :])
    lanes = region_rows(places.extents, places.shape, pers, lengths)
    lanes = (lanes[:, None] * places.row_elements + np.arange(places.row_elements)).reshape(-1)
    chosen = places.array[lanes]
    lanes, chosen = lanes[chosen >= 0], chosen[chosen >= 0].astype(np.int64)
    if over:
        at = np.unravel_index(chosen, tuple(over))
        chosen = np.asarray(np.ravel_multi_index(at, memory.shape[: len(over)]), np.int64)
    pieces = Pieces(chosen, lanes, width)
    return _within_layers(pieces, prod(memory.parts[0].shape)) if isinstance(memory, LayeredBuffer) else pieces


def _within_layers(pieces: Pieces, layer: int) -> Pieces:
    """The same in pieces of a layer's elements at most: what is written in one piece may reach over several layers."""
    count = pieces.width // layer
    if count <= 1:
        return pieces
    numbers, source = (
        (part[:, None] * count + np.arange(count)).reshape(-1) for part in (pieces.numbers, pieces.source)
    )
    return Pieces(numbers, source, layer)


def parts_of(
    memory: Buffer | LayeredBuffer, pieces: Pieces
) -> list[tuple[Buffer, NDArray[np.int64], NDArray[np.int64]]]:
    """(buffer, which pieces of the rows go there, as which of its own) for each part of the memory that takes any."""
    if isinstance(memory, Buffer):
        return [(memory, pieces.source, pieces.numbers)]
    count = prod(memory.parts[0].shape) // pieces.width
    found = []
    for number, part in enumerate(memory.parts):
        chosen = pieces.numbers // count == number
        if chosen.any():
            found.append((part, pieces.source[chosen], pieces.numbers[chosen] % count))
    return found


def kept(part: Buffer, memory: DenseMemory, numbers: NDArray[np.int64], width: int) -> Callable[[], None]:
    """A function that undoes what is about to be written to a memory's buffer."""
    old = part.read_rows(numbers, width)

    def undo() -> None:
        part.write_rows(numbers, old, width)
        memory.changed()

    return undo
