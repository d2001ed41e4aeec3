"""Tensors of the caller's in place of drawn ones: a `.npz` file, by the names of the pipeline.

`x` is an input or a weight of every call, or what a memory begins with; `x.2` an input of the second call alone. The
extents are those of the arrays. Under a dim's name stand its lengths: of a dim that grows before the first call, of one
that has a length for each row in every call.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hetc.compiler.verify.draw import Draw
from hetc.compiler.verify.given_extents import CODE, Arrays, GivenExtents, NamedArrays
from hetc.diagnostics import EXIT_USAGE, Diagnostic, DiagnosticError, Diagnostics, reason_of, suggest
from hetc.numerics import DType, dtype_of
from hetc.runtime.errors import InputError
from hetc.runtime.specification import Pipeline, Tensor
from hetc.runtime.tensors import to_stored

DEFAULT_CALLS = 2
_HELP = "write it with `numpy.savez(FILE, name=array, ...)`"


def read_arrays(path: Path) -> dict[str, NDArray]:
    """The arrays of a `.npz` file by name. Raises DiagnosticError (exit 2)."""
    try:
        with open(path, "rb") as opened:
            file = opened if opened.seekable() else io.BytesIO(opened.read())  # a pipe
            if not zipfile.is_zipfile(file):  # what else numpy.load takes holds no names
                raise _refused(CODE, f"`{path}` is no .npz file, which holds arrays by name", _HELP)
            file.seek(0)
            with np.load(file, allow_pickle=False) as loaded:
                arrays = {name: loaded[name] for name in loaded.files}
    except FileNotFoundError:
        raise _refused("HET401", f"no such file: `{path}`") from None
    except IsADirectoryError:
        raise _refused("HET402", f"`{path}` is a directory; expected a .npz file") from None
    except OSError as error:
        raise _refused("HET403", f"cannot read `{path}`: {reason_of(error)}") from error
    except (ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        objects = "allow_pickle" in str(error)
        what = "holds Python objects; only arrays of numbers are read" if objects else f"cannot be read: {error}"
        raise _refused(CODE, f"`{path}` {what}", _HELP) from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise _refused(CODE, f"`{path}` holds `{name}`, which is no array", _HELP)
    return arrays


def given_draw(pipeline: Pipeline, arrays: Arrays, calls: int | None = None) -> tuple[Draw, int]:
    """The tensors and extents of `calls` calls (default: as many as the names say, at least 2), and their number.

    A memory that is not among them begins as it is declared. Raises DiagnosticError (exit 2) with everything that is
    missing, unknown, or of a wrong dtype or shape.
    """
    wrong = Diagnostics()
    named = _sorted(pipeline, arrays, calls, wrong)
    wrong.raise_if_errors(EXIT_USAGE)
    _check_arrays(pipeline, named, wrong)
    wrong.raise_if_errors(EXIT_USAGE)
    result = GivenExtents(pipeline, named, wrong).draw()
    wrong.raise_if_errors(EXIT_USAGE)
    return result, named.calls


def _sorted(pipeline: Pipeline, arrays: Arrays, calls: int | None, wrong: Diagnostics) -> NamedArrays:
    """The arrays sorted by what they are for."""
    numbers = [int(found[2]) for name in arrays if (found := _of_a_call(name)) is not None]
    count = calls or max([DEFAULT_CALLS, *numbers])
    named = NamedArrays(count, [{} for _ in range(count)])
    for name, array in sorted(arrays.items(), key=lambda item: _of_a_call(item[0]) is not None):
        found = _of_a_call(name)
        base, number = (found[1], int(found[2])) if found is not None else (name, 0)
        role = pipeline.tensors[base].role if base in pipeline.tensors else "dim" if base in pipeline.dims else ""
        if not role:
            known = [*pipeline.tensors, *pipeline.dims]
            guess = suggest(base, known)
            help = f"did you mean `{guess}`?" if guess else f"it has {', '.join(known)}"
            wrong.error(CODE, f"`{name}`: the pipeline has no tensor or dim `{base}`", help=help)
        elif number and role != "input":
            what = "the lengths of a dim are" if role == "dim" else f"a {role} is"
            wrong.error(CODE, f"`{name}`: only an input differs from call to call; {what} given once, as `{base}`")
        elif number > count:
            wrong.error(CODE, f"`{name}` is for call {number}, but there are {count}")
        elif role == "input":
            for call in [named.inputs[number - 1]] if number else named.inputs:
                call[base] = array
        else:
            {"weight": named.weights, "memory": named.memories, "dim": named.lengths}[role][base] = array
    _check_all_there(pipeline, named, wrong)
    return named


def _check_all_there(pipeline: Pipeline, named: NamedArrays, wrong: Diagnostics) -> None:
    for name in dict.fromkeys(name for step in pipeline.steps.values() for name in step.takes):
        role = pipeline.tensors[name].role
        held = [named.weights] if role == "weight" else named.inputs
        missing = [number for number, call in enumerate(held, 1) if name not in call]
        if len(missing) == len(held):
            wrong.error(CODE, f"the {role} `{name}` is missing: it is no array of the file")
        elif missing:
            help = f"add `{name}.{missing[0]}`, or `{name}` for every call"
            wrong.error(CODE, f"the {role} `{name}` is missing for call {missing[0]}", help=help)


def _of_a_call(name: str) -> re.Match[str] | None:
    """`x.2`: the tensor, and the number of the call from 1."""
    return re.fullmatch(r"(.+)\.([1-9]\d{0,5})", name)


def _check_arrays(pipeline: Pipeline, named: NamedArrays, wrong: Diagnostics) -> None:
    """Each array alone: its dtype, the number of its dims, and its constant extents."""
    for name, array in _all(named):
        spec = pipeline.tensors[name]
        try:
            shape = to_stored(array, spec.element, spec.codes, name).shape
        except InputError as error:
            element = spec.element if spec.codes is None else spec.codes[0]
            wrong.error(CODE, str(error), help=_conversion(name, array, dtype_of(element)))
            if spec.codes is not None:
                continue  # neither bytes nor values: there is no shape to speak of
            shape = array.shape
        fits = len(shape) == len(spec.extents) and all(
            isinstance(extent, str) or extent == size for extent, size in zip(spec.extents, shape, strict=True)
        )
        if not fits:
            wrong.error(CODE, f"tensor '{name}': expected {_text(spec)}, got {list(array.shape)}")


def _conversion(name: str, array: NDArray, wanted: DType) -> str | None:
    """How an array of other numbers gets a dtype that is taken."""
    if wanted.is_float and array.dtype.kind in "iuf":
        return f"`{name}.astype(numpy.float32)`"
    if wanted.is_integer and array.dtype.kind in "bf":
        return f"`{name}.astype(numpy.int64)`"
    return None


def _all(named: NamedArrays) -> list[tuple[str, NDArray]]:
    """Every array that is a tensor, each once."""
    found = [*named.weights.items(), *named.memories.items()]
    for call in named.inputs:
        found += [item for item in call.items() if not any(item[1] is other for _, other in found)]
    return found


def _text(spec: Tensor) -> str:
    return f"[{', '.join(map(str, spec.extents))}]"


def _refused(code: str, message: str, help: str | None = None) -> DiagnosticError:
    return DiagnosticError(Diagnostic("error", code, message, help=help), EXIT_USAGE)
