"""Cycles of an emitted kernel, counted while its text runs: what reads the text, not the module that it was made from.

Every iteration of a loop with `#pragma HLS PIPELINE II=n` counts n cycles, a step of a heap or of a search as many as
it is taken to have. Processes between HETC_DATAFLOW_BEGIN and END count beside each other: the longest of them is what
their region takes. The text is compiled as plain C++ with streams that have no bound."""

from __future__ import annotations

import ctypes
import re
import subprocess
from collections.abc import Mapping
from math import prod
from pathlib import Path

import numpy as np

from hetc.dialects import fpga, task
from hetc.dialects.mp import TensorType, dtype_name, storage_bits
from hetc.runtime.csim_toolchain import ap_types_include, find_compiler, include_directory

SEARCH_STEP, SINK_STEP = 3, 4
HEADER = """
#pragma once
#include <algorithm>
namespace counted {
static long long cycles = 0;
struct region {
  long long before = cycles, most = 0;
  void next() { most = std::max(most, cycles - before); cycles = before; }
  void end() { cycles = before + most; }
};
}
"""
STREAM = """
#pragma once
#include <deque>
#include <string>
namespace hls {
template <typename T, int DEPTH = 0> class stream;
template <typename T> class stream<T, 0> {
 public:
  explicit stream(const char*) {}
  T read() { T value = words.front(); words.pop_front(); return value; }
  void write(const T& value) { words.push_back(value); }
 private:
  std::deque<T> words;
};
template <typename T, int DEPTH> class stream : public stream<T, 0> { using stream<T, 0>::stream; };
}
"""
MAIN = """
#include "{name}.cpp"
extern "C" long long counted_cycles() {{ return counted::cycles; }}
"""
ROOM = 1 << 16
"""Bytes past what a buffer holds: kernels move whole words."""


def counting(text: str) -> str:
    """The text with what counts put in."""
    text = re.sub(r"(#pragma HLS PIPELINE II=(\d+))", r"\1\n counted::cycles += \2;", text)
    text = text.replace("HETC_DATAFLOW_BEGIN();", "{ counted::region counted_region;")
    text = re.sub(r"HETC_PROCESS\((\(.*?\)|\w+)(?:, )?(.*)\);", r"\1(\2); counted_region.next();", text)
    text = text.replace("HETC_DATAFLOW_END();", "counted_region.end(); }")
    text = text.replace("#pragma HLS LOOP_TRIPCOUNT min=1 max=16", f" counted::cycles += {SINK_STEP};")
    text = text.replace("#pragma HLS LOOP_TRIPCOUNT min=1 max=24", f" counted::cycles += {SEARCH_STEP};")
    return text.replace("    if (count == N) {\n", "    counted::cycles += 1;\n    if (count == N) {\n")


def count_cycles(
    files: Mapping[str, str], kernel: fpga.KernelOp, tensors: task.KernelOp, dims: Mapping[str, int], folder: Path
) -> int:
    """Cycles of one launch at these extents on random numbers; files: those that were emitted."""
    name = kernel.sym_name.data
    for path, text in files.items():
        if path.startswith(f"fpga/{name}/") and path.endswith((".h", ".cpp")):
            (folder / Path(path).name).write_text('#include "counted.h"\n' + counting(text))
    (folder / "counted.h").write_text(HEADER)
    (folder / "hls_stream.h").write_text(STREAM)
    (folder / "main.cc").write_text(MAIN.format(name=name))
    headers = [f"-I{path}" for path in (folder, include_directory(), ap_types_include())]
    library = folder / "kernel.so"
    command = [*find_compiler(), "-std=c++17", "-O2", "-w", "-shared", "-fPIC", *headers, str(folder / "main.cc")]
    subprocess.run([*command, "-o", str(library)], check=True)
    loaded = ctypes.CDLL(str(library))
    loaded.counted_cycles.restype = ctypes.c_longlong
    buffers = [_argument(op, kernel, tensors, dims) for op in kernel.interface]
    passed = [item if isinstance(item, int) else item.ctypes.data_as(ctypes.c_void_p) for item in buffers]
    getattr(loaded, name)(*passed)
    return int(loaded.counted_cycles())


def _argument(
    op: fpga.PortOp | fpga.ScalarOp, kernel: fpga.KernelOp, tensors: task.KernelOp, dims: Mapping[str, int]
) -> np.ndarray | int:
    argument = op.argument
    role, part = argument.role.data, argument.part.data
    if role == "capacity":
        return dims[part]
    if role == "length":
        return np.full(ROOM, dims[part], np.int32)
    if role == "scratch":
        return _random(kernel.scratch.data[argument.index.data], dims)
    if role == "result":
        return _random(tensors.outputs[argument.index.data].type, dims)
    assert role == "operand"
    type_ = tensors.block.args[argument.index.data].type
    assert isinstance(type_, TensorType)
    if not type_.is_sparse:
        return np.arange(ROOM, dtype=np.int32) if part == "table" else _random(type_, dims)
    rows, columns = (extent if isinstance(extent, int) else dims[extent] for extent in type_.shape)
    entries = min(type_.storage.stored_bound.data // rows, columns)
    match part:
        case "row_start":
            return np.arange(rows, dtype=np.int64) * entries
        case "row_length":
            return np.full(rows, entries, np.int32)
        case "column":
            return np.tile(np.arange(entries, dtype=np.int64) * columns // max(entries, 1), rows).astype(np.int32)
    return _random(type_, dims)


def _random(type: TensorType, dims: Mapping[str, int]) -> np.ndarray:
    """Numbers that are places of what is small; of other formats small positive ones, whatever their bytes mean."""
    elements = prod(extent if isinstance(extent, int) else dims[extent] for extent in type.shape)
    rng, size = np.random.default_rng(0), elements * storage_bits(type.element) // 8 + ROOM
    if dtype_name(type.element) in ("i32", "i64", "index"):
        return rng.integers(0, 64, size, np.int64 if dtype_name(type.element) == "i64" else np.int32)
    return rng.integers(0, 256, size, np.uint8) & 0x37
