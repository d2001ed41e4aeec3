"""Executes the function of a step with upstream's ExecutionEngine: one-shot bufferization, loops, LLVM.

Upstream also generates the checks of what it leaves undefined: that indices and slices are within their tensors, and
that the operands of a linalg op agree on their extents. A check that fails is reported, where upstream would abort.

Upstream lowers no conversion of an 8-bit float to LLVM: before it is asked to, these types become i8 here, and each
conversion a call of ml_dtypes. Everything else is upstream's.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

import ml_dtypes
import numpy as np

from hetc.compiler.upstream import load_bindings

CHECKS = "builtin.module(generate-runtime-verification)"
TO_LLVM = (
    "empty-tensor-to-alloc-tensor",
    "one-shot-bufferize{bufferize-function-boundaries=1 allow-return-allocs-from-loops=1}",
    "func.func(convert-linalg-to-loops)",
    "arith-expand{include-bf16=true}",
    "convert-scf-to-cf",
    "convert-index-to-llvm",
    "expand-strided-metadata",
    "lower-affine",
    "convert-math-to-llvm",
    "convert-math-to-libm",
    "convert-arith-to-llvm",
    "finalize-memref-to-llvm",
    "convert-func-to-llvm",
    "convert-cf-to-llvm",
    "reconcile-unrealized-casts",
)
SMALL_FLOATS: dict[str, Any] = {"f8E4M3FN": ml_dtypes.float8_e4m3fn, "f8E5M2": ml_dtypes.float8_e5m2}
NUMPY: dict[str, Any] = {
    "f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16, "i64": np.int64, "i32": np.int32,
    "i16": np.int16, "i8": np.int8, "i1": np.bool_, **SMALL_FLOATS,
}  # fmt: skip
"""The numpy type of a tensor of each element type."""


class Function:
    """A function of index and tensor arguments and tensor results, compiled from a module as upstream prints it."""

    def __init__(self, text: str, name: str):
        ir, passmanager = load_bindings()
        self.name = name
        checks: list[str] = []
        with ir.Context():
            module = ir.Module.parse(text)
            type_ = _function(module, name).type
            self._arguments = [_element(each) for each in type_.inputs]
            self._results = [(_element(each), each.rank) for each in type_.results]
            passmanager.PassManager.parse(CHECKS).run(module.operation)
            module = ir.Module.parse(_with_calls(_reporting(str(module), checks)))
            _function(module, name).attributes["llvm.emit_c_interface"] = ir.UnitAttr.get()
            passmanager.PassManager.parse(f"builtin.module({','.join(TO_LLVM)})").run(module.operation)
            # Compiling is most of the time, and the programs are small.
            engine = import_module("torch_mlir.execution_engine").ExecutionEngine(module, opt_level=0)
        self._engine, self._failed = engine, list[str]()
        self._report = ctypes.CFUNCTYPE(None, ctypes.c_int64)(lambda check: self._failed.append(checks[check]))
        for symbol, function in {**CALLED, "_mlir_ciface_failed": self._report}.items():
            engine.raw_register_runtime(symbol, ctypes.cast(function, ctypes.c_void_p))

    def __call__(self, *arguments: int | np.ndarray) -> list[np.ndarray]:
        """An array may be of any dtype that converts to its element's; an index is an int. Nothing is written to what
        is given. The results are in the numpy type of their elements. Raises AssertionError where a check failed."""
        kept = [_argument(value, element) for value, element in zip(arguments, self._arguments, strict=True)]
        fields = [(f"result{n}", _descriptor_type(rank)) for n, (_, rank) in enumerate(self._results)]
        results = type("Results", (ctypes.Structure,), {"_fields_": fields})()
        self._engine.invoke(self.name, ctypes.pointer(ctypes.pointer(results)), *(pointer for pointer, _ in kept))
        assert not self._failed, self._failed
        made = [getattr(results, field) for field, _ in fields]
        return [_array(each, element) for each, (element, _) in zip(made, self._results, strict=True)]


def _function(module: Any, name: str) -> Any:
    return next(op for op in module.body if op.name.value == name)


def _element(type: Any) -> str:
    return str(getattr(type, "element_type", type))


# numpy arrays as memrefs


def _descriptor_type(rank: int) -> type[ctypes.Structure]:
    """A memref of that rank, as the C interface of a compiled function takes and gives it."""
    base = [("allocated", ctypes.c_void_p), ("aligned", ctypes.c_void_p), ("offset", ctypes.c_int64)]
    each = ctypes.c_int64 * rank
    extents = [("shape", each), ("strides", each)] if rank else []
    return type("MemRef", (ctypes.Structure,), {"_fields_": base + extents})


def _argument(value: int | np.ndarray, element: str) -> tuple[Any, Any]:
    """(a pointer that the function takes, what must live as long as the call)."""
    if element == "index":
        number = ctypes.c_int64(int(value))
        return ctypes.pointer(number), number
    # A copy: memories are written in place.
    array = np.array(value, dtype=NUMPY[element], order="C")
    fields: list[Any] = [array.ctypes.data, array.ctypes.data, 0]
    if array.ndim:
        strides = [stride // array.itemsize for stride in array.strides]
        fields += [(ctypes.c_int64 * array.ndim)(*array.shape), (ctypes.c_int64 * array.ndim)(*strides)]
    descriptor = _descriptor_type(array.ndim)(*fields)
    return ctypes.pointer(ctypes.pointer(descriptor)), (descriptor, array)


def _array(descriptor: Any, element: str) -> np.ndarray:
    """A result, copied, in the numpy type of its element."""
    array = _view(descriptor, np.dtype(NUMPY[element]).itemsize).copy()
    return array.view(NUMPY[element])


def _view(descriptor: Any, item_bytes: int) -> np.ndarray:
    """The elements of a memref where they are, as unsigned integers."""
    dtype = np.dtype(f"u{item_bytes}")
    shape, strides = tuple(getattr(descriptor, "shape", ())), tuple(getattr(descriptor, "strides", ()))
    if 0 in shape:
        return np.zeros(shape, dtype)
    reach = 1 + sum((extent - 1) * stride for extent, stride in zip(shape, strides, strict=True))
    begin = descriptor.aligned + descriptor.offset * item_bytes
    memory = np.frombuffer((ctypes.c_uint8 * (reach * item_bytes)).from_address(begin), dtype)
    return np.lib.stride_tricks.as_strided(memory, shape, [each * item_bytes for each in strides])


# changes to the text of a module


def _reporting(text: str, checks: list[str]) -> str:
    """The module with a call of @failed where an assertion does not hold; `checks` gets what each says."""

    def replaced(found: re.Match[str]) -> str:
        checks.append(found[2])
        return (
            f"scf.if {found[1]} {{ }} else {{ %check = arith.constant {len(checks) - 1} : i64\n"
            "func.call @failed(%check) : (i64) -> () }"
        )

    text = re.sub(r'cf\.assert (%\w+), ("(?:[^"\\]|\\.)*")', replaced, text)
    return _declaring(text, "func.func private @failed(i64)")


def _with_calls(text: str) -> str:
    """The module with 8-bit floats as i8, and functions called for their conversions."""
    for name, dtype in SMALL_FLOATS.items():
        text = re.sub(rf"arith\.extf (%\w+) : {name} to f32", rf"func.call @from_{name}(\1) : (i8) -> f32", text)
        text = re.sub(rf"arith\.truncf (%\w+) : f32 to {name}", rf"func.call @to_{name}(\1) : (f32) -> i8", text)
        text = re.sub(
            rf"arith\.constant (\S+) : {name}\b",
            lambda found, dtype=dtype: f"arith.constant {int(dtype(found[1]).view(np.int8))} : i8",
            text,
        )
        text = re.sub(rf"\b{name}\b", "i8", text.replace(f"x{name}", "xi8"))
        text = _declaring(
            text, f"func.func private @from_{name}(i8) -> f32", f"func.func private @to_{name}(f32) -> i8"
        )
    return text


def _declaring(text: str, *functions: str) -> str:
    declared = "\n".join(f"{function} attributes {{llvm.emit_c_interface}}" for function in functions)
    return re.sub(r"\}\s*\Z", f"{declared}\n}}\n", text)


# what compiled code calls


class _Unranked(ctypes.Structure):
    """A memref of any rank: its rank, and where its descriptor is."""

    _fields_ = [("rank", ctypes.c_int64), ("descriptor", ctypes.c_void_p)]


def _copy(item_bytes: int, source: Any, target: Any) -> None:
    """What upstream's runner library, which its Python packages do not bring, calls memrefCopy."""
    views = []
    for memref in (source.contents, target.contents):
        descriptor = _descriptor_type(memref.rank).from_address(memref.descriptor)
        views.append(_view(descriptor, item_bytes))
    views[1][...] = views[0]


def _called() -> dict[str, Any]:
    def reads(dtype: Any) -> Callable[[int], float]:
        values = np.arange(256, dtype=np.uint8).view(dtype).astype(np.float32)
        return lambda bits: float(values[bits & 255])

    def writes(dtype: Any) -> Callable[[float], int]:
        return lambda value: int(np.float32(value).astype(dtype).view(np.int8))

    pointer = ctypes.POINTER(_Unranked)
    found: dict[str, Any] = {"memrefCopy": ctypes.CFUNCTYPE(None, ctypes.c_int64, pointer, pointer)(_copy)}
    for name, dtype in SMALL_FLOATS.items():
        found[f"_mlir_ciface_from_{name}"] = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_int8)(reads(dtype))
        found[f"_mlir_ciface_to_{name}"] = ctypes.CFUNCTYPE(ctypes.c_int8, ctypes.c_float)(writes(dtype))
    return found


CALLED = _called()
"""The C functions by their symbols, kept as long as any engine."""
