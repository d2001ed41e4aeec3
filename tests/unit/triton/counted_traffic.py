"""Memory traffic of emitted GPU kernels, counted while they run: apart from what schedules take it for.

A launch reads and writes lines of 64 bytes, each once however often its programs come back to it: caches serve the
rest; what it has written it need not read. Of a selection, whose programs run over all keys once for each digit, every
load counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hetc.runtime import triton_interpreter

LINE = 64


@dataclass
class Launch:
    """One launch. loaded: bytes of all loads. read, written: lines."""

    kernel: str
    loaded: int = 0
    read: set[int] = field(default_factory=set)
    written: set[int] = field(default_factory=set)

    def bytes_moved(self, selects: bool) -> int:
        return (self.loaded if selects else LINE * len(self.read)) + LINE * len(self.written)

    def load(self, pointers: Any, mask: Any) -> None:
        addresses, size = _addresses(pointers, mask)
        self.loaded += len(addresses) * size
        self.read |= set((addresses // LINE).tolist()) - self.written

    def store(self, pointers: Any, mask: Any) -> None:
        self.written |= set((_addresses(pointers, mask)[0] // LINE).tolist())


def _addresses(pointers: Any, mask: Any) -> tuple[Any, int]:
    """The addresses that an access touches, and the size of an element."""
    every = np.ravel(pointers.data)
    kept = every if mask is None else every[np.ravel(np.broadcast_to(mask.data, pointers.data.shape))]
    return kept, max(1, pointers.get_element_ty().primitive_bitwidth // 8)


@contextmanager
def counted_launches() -> Iterator[list[Launch]]:
    """The launches that the interpreter runs meanwhile."""
    triton_interpreter.install()
    from triton.runtime import interpreter
    from triton.runtime.interpreter import InterpreterBuilder

    found: list[Launch] = []
    released = {name: getattr(InterpreterBuilder, name) for name in _HOOKS}
    started = interpreter.GridExecutor.__call__

    def start(self: Any, *arguments: Any, **named: Any) -> Any:
        found.append(Launch(self.fn.__name__))
        return started(self, *arguments, **named)

    def hook(name: str, is_load: bool, mask_at: int | None) -> Any:
        def run(self: Any, pointers: Any, *rest: Any, **named: Any) -> Any:
            mask = None if mask_at is None else rest[mask_at]
            (found[-1].load if is_load else found[-1].store)(pointers, mask)
            return released[name](self, pointers, *rest, **named)

        return run

    interpreter.GridExecutor.__call__ = start
    for name, (is_load, mask_at) in _HOOKS.items():
        setattr(InterpreterBuilder, name, hook(name, is_load, mask_at))
    try:
        yield found
    finally:
        interpreter.GridExecutor.__call__ = started
        for name, method in released.items():
            setattr(InterpreterBuilder, name, method)


_HOOKS: dict[str, tuple[bool, int | None]] = {
    "create_load": (True, None),
    "create_masked_load": (True, 0),
    "create_store": (False, None),
    "create_masked_store": (False, 1),
}
"""Whether it loads, and which argument after the pointers is the mask."""
