"""Launching and calling interpreted functions without the work that the interpreter repeats.

As released, each launch and each call of a device function (tl.sum and tl.zeros are such) walks all of
Triton's language and replaces its functions by interpreted ones; in a small attention kernel that is a third
of the time. A process with the interpreter compiles nothing, so here it is done once and stays. Half of the
rest goes into describing shapes: every block type and tensor unwraps, checks and prints its shape anew; here a
shape is worked out once. numpy's warnings about infinities and NaN are off while a kernel runs: a GPU gives
none.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import triton.language as tl
from triton.runtime import interpreter

from hetc.runtime.kernel_limit import Deadline

# Of the launch at hand: the interpreter runs one at a time.
_DEADLINE = Deadline()


def _patch_language_for_good() -> None:
    """Let the interpreter replace the functions of both modules that kernels and the library call through."""
    both = types.FunctionType((lambda: None).__code__, {"tl": tl, "core": tl.core})
    interpreter._patch_lang(both)
    interpreter._patch_lang = lambda fn: interpreter._LangPatchScope()
    # As released in 3.6 this fails with numpy 2.4, and with it every `range` up to a run-time value.
    tl.core.tensor.__index__ = lambda self: int(self.handle.data.item())


def _launch_quietly() -> None:
    released = interpreter.GridExecutor.__call__

    def launch(self: Any, *arguments: Any, **named: Any) -> Any:
        with np.errstate(all="ignore"), _DEADLINE.set():
            return released(self, *arguments, **named)

    interpreter.GridExecutor.__call__ = launch


def _remember_block_types() -> None:
    """Give a block type made before (same element, same shape) the attributes worked out then."""
    released: Callable = tl.core.block_type.__init__
    known: dict[tuple, dict[str, Any]] = {}

    def initialise(self: Any, element_ty: Any, shape: Any) -> None:
        values = shape.values if isinstance(shape, tl.core.tuple) else shape
        key = (element_ty.name, *(v.value if isinstance(v, tl.constexpr) else v for v in values))
        attributes = known.get(key)
        if attributes is None:
            released(self, element_ty, shape)
            known[key] = {name: value for name, value in vars(self).items() if name != "element_ty"}
        else:
            self.__dict__.update(attributes)
            self.element_ty = element_ty

    tl.core.block_type.__init__ = initialise


def _remember_tensor_shapes() -> None:
    """The same for a tensor, whose shape and size depend on its type alone. Every operation makes one, so that this is
    where a kernel without end is stopped."""
    released: Callable = tl.core.tensor.__init__
    known: dict[str, dict[str, Any]] = {}

    def initialise(self: Any, handle: Any, type: Any) -> None:
        _DEADLINE.check()
        attributes = known.get(type.name)
        if attributes is None:
            released(self, handle, type)
            own = ("handle", "type", "dtype")
            known[type.name] = {name: value for name, value in vars(self).items() if name not in own}
        else:
            self.__dict__.update(attributes)
            self.handle, self.type, self.dtype = handle, type, type.scalar

    tl.core.tensor.__init__ = initialise


def _skip_needless_broadcasts() -> None:
    """Return operands of equal shape as they are; as released, that is found out dimension by dimension."""
    semantic = type(interpreter.interpreter_semantic)
    released: Callable = semantic.broadcast_impl_value

    def broadcast(self: Any, left: Any, right: Any) -> Any:
        left_type, right_type = left.type, right.type
        if left_type.is_block() and right_type.is_block() and left_type.shape.values == right_type.shape.values:
            return left, right
        return released(self, left, right)

    semantic.broadcast_impl_value = broadcast


def _wrap_integers() -> None:
    """Let integer arithmetic wrap, as compiled kernels do; as released it is checked in 64 bits each time."""
    builder = interpreter.interpreter_builder
    builder.options = dataclasses.replace(builder.options, sanitize_overflow=False)


def _contiguous(name: str) -> None:
    """Give a memory operation whole arrays: before 3.9 it reads a broadcast one as if it were whole."""
    released: Callable = getattr(interpreter.InterpreterBuilder, name)

    def run(self: Any, *arguments: Any, **named: Any) -> Any:
        return released(self, *(_whole(argument) for argument in arguments), **named)

    setattr(interpreter.InterpreterBuilder, name, run)


def _whole(argument: Any) -> Any:
    if isinstance(argument, interpreter.TensorHandle) and not argument.data.flags.c_contiguous:
        return interpreter.TensorHandle(np.ascontiguousarray(argument.data), argument.dtype)
    return argument


def _keep_other_of_scalars() -> None:
    """Let a masked-off load of one element give its `other`; as released an `other` of 0 is taken for none."""
    semantic = type(interpreter.interpreter_semantic)
    released: Callable = semantic.load

    def load(self: Any, pointer: Any, mask: Any, other: Any, *rest: Any, **named: Any) -> Any:
        loaded = released(self, pointer, mask, other, *rest, **named)
        if pointer.type.is_block() or mask is None or other is None or bool(mask):
            return loaded
        return self.cast(other, loaded.dtype)

    semantic.load = load


def _splat(_: Any, block: Any, scalar: interpreter.TensorHandle) -> interpreter.TensorHandle:
    """A scalar seen as a block, not copied into one."""
    return interpreter.TensorHandle(np.broadcast_to(scalar.data.reshape(()), block.shape), scalar.dtype.scalar)


def correct() -> None:
    """Put the changes above in place."""
    _wrap_integers()
    interpreter.InterpreterBuilder.create_splat = _splat
    for operation in ("masked_load", "masked_store", "atomic_rmw", "atomic_cas"):
        _contiguous(f"create_{operation}")
    _remember_block_types()
    _remember_tensor_shapes()
    _skip_needless_broadcasts()
    _keep_other_of_scalars()
    _patch_language_for_good()
    _launch_quietly()
