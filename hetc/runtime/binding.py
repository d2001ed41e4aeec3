"""Memories in tensors that the caller allocated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hetc.runtime.devices import Device
from hetc.runtime.elements import host_dtype
from hetc.runtime.errors import InputError
from hetc.runtime.memory import DenseMemory
from hetc.runtime.pages import PageTable

if TYPE_CHECKING:
    from hetc.runtime.state import State


@dataclass(frozen=True)
class _Adopted:
    """One memory (or layer) and the array that becomes its own."""

    memory: DenseMemory
    array: Any


def bind(state: State, tensors: Mapping[str, Any], block_table: Any) -> None:
    """Check all of the tensors, then use them; see State.bind."""
    adopted: list[_Adopted] = []
    pages: dict[int, tuple[PageTable, int]] = {}
    for name, value in tensors.items():
        spec = state.memory(name)
        if name not in state.pipeline.memories or spec.stored_bound is not None:
            raise InputError(f"memory '{name}' is sparse; only dense memories are bound")
        memories = state.parts(name)
        given = _by_layers(value, spec.layered)
        if len(given) != len(memories):
            raise InputError(f"memory '{name}': expected a tensor for each of {len(memories)} layers, got {len(given)}")
        for memory, tensor in zip(memories, given, strict=True):
            adopted += _adopted(state, memory, tensor, pages)
    tables = list(state.pools.tables.values())
    if block_table is not None and len(tables) != 1:
        raise InputError(f"block_table: the pipeline has {len(tables)} tables of pages, expected one")
    for table, count in pages.values():
        table.resize(count)
    if block_table is not None:
        tables[0].adopt(block_table)
    for item in adopted:
        item.memory.buffer.arrays = (item.array,)
        item.memory.bound = True
        item.memory.changed()


def _by_layers(value: Any, depth: int) -> list[Any]:
    """The tensors that a caller gives for a memory's layers, row-major: lists of lists where layers have layers."""
    if not depth or not isinstance(value, list | tuple):
        return [value]
    return [tensor for item in value for tensor in _by_layers(item, depth - 1)]


def _adopted(state: State, memory: DenseMemory, tensor: Any, pages: dict[int, tuple[PageTable, int]]) -> list[_Adopted]:
    """The tensor as the memory's array, and as that of the memories beside it. `pages` gets the pages of its pool."""
    buffer, spec = memory.buffer, memory.spec
    device: Device = buffer.device
    beside = [other for other in state.dense.values() if memory.pool and other.pool == memory.pool]
    array = device.adopt(tensor, "u8" if beside else spec.element, memory.name)
    placement = buffer.placement
    size_bytes = tensor.numel() * tensor.element_size()
    if placement is not None and placement.table is not None:
        page_bytes = placement.rows.page * host_dtype(spec.element).itemsize
        if size_bytes % page_bytes or not size_bytes:
            raise InputError(f"memory '{memory.name}': {size_bytes} bytes are no whole number of pages of {page_bytes}")
        known = pages.setdefault(id(placement.table), (placement.table, size_bytes // page_bytes))
        if known[1] != size_bytes // page_bytes:
            raise InputError(
                f"memory '{memory.name}': its pool has {size_bytes // page_bytes} pages, another {known[1]}"
            )
    elif tuple(tensor.shape) != buffer.shape:
        raise InputError(f"memory '{memory.name}': expected a tensor of {list(buffer.shape)}, got {list(tensor.shape)}")
    if not beside:
        return [_Adopted(memory, array)]
    elements = {other.name: size_bytes // host_dtype(other.spec.element).itemsize for other in beside}
    return [_Adopted(other, device.view(array, other.spec.element, elements[other.name])) for other in beside]
