"""Two ways to execute a pipeline behind one interface: the oracle on the module, and the compiled program emulated.

A test written against `Session` runs on both. Arrays are float64 or integers on both sides, already rounded to the
declared types (see `rounded`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike
from xdsl.dialects.builtin import IntegerAttr, ModuleOp

from hetc.backends.reference import SparseMatrix, StepResult, run_step
from hetc.compiler.driver import Options, compile_source_file, front_end, write_directory
from hetc.compiler.pipeline import run_stages
from hetc.compiler.report import pipeline_of
from hetc.dialects.mp import DimAttr, OutputOp, PipelineOp, dtype_name, is_coded
from hetc.dialects.mp.derived import most_of, value_of
from hetc.numerics import dtype_of
from hetc.numerics.packing import unpack
from hetc.numerics.rounding import encode, round_to
from hetc.platforms import DEFAULT_PLATFORM
from hetc.source import read_source

Dims = Mapping[str, int]
Codes = tuple[str, int]
ROOT = Path(__file__).resolve().parent.parent
THREE_KINDS = str(Path(__file__).with_name("three_kinds.toml"))
"""A platform with a GPU, an FPGA and a processor."""


def rounded(values: ArrayLike, dtype: str) -> np.ndarray:
    """The nearest values of a float type, as float64."""
    return round_to(values, dtype)


class Session(ABC):
    """A state of one pipeline, and the step that `call` calls: the first unless `step` is set to another."""

    step: str
    lengths: dict[str, np.ndarray]

    def __init__(self) -> None:
        self.extents: dict[str, np.ndarray] = {}
        """Live extents of dims that do not grow and have one a row: they are no tensor's shape."""

    @abstractmethod
    def load(self, name: str, array: np.ndarray) -> None:
        """Set a memory: an array over capacities (dense) of which the first `lengths` rows are live."""

    @abstractmethod
    def call(self, **tensors: np.ndarray) -> dict[str, np.ndarray]:
        """One step: its outputs over live extents, as float64, integers or bool."""

    @abstractmethod
    def memory(self, name: str) -> np.ndarray:
        """A dense memory's contents; rows past the live ones are unspecified."""


class OracleSession(Session):
    """Executes a module in float64. strict: it is one after stage `explicit`, where reads are guarded."""

    def __init__(self, module: ModuleOp, capacities: Dims, lengths: Mapping[str, Any], strict: bool = False):
        super().__init__()
        self.module, self.strict = module, strict
        self.pipeline: PipelineOp = pipeline_of(module)
        self.step = next(iter(self.pipeline.steps))
        self.capacities = with_derived(self.pipeline, capacities)
        self.lengths = {name: np.atleast_1d(np.asarray(value)) for name, value in lengths.items()}
        self.memories: dict[str, Any] = {}
        self.last: StepResult | None = None
        for name, declaration in self.pipeline.declarations.items():
            if declaration.role.data == "memory":
                init = getattr(declaration.init, "value", None)
                start, type_ = 0 if init is None else init.data, declaration.type
                if type_.coded is not None:
                    start = unpack(np.uint8(start), dtype_name(type_.coded.element)).item()
                self.memories[name] = self._empty(type_.decoded, start)

    def _empty(self, type_: Any, init: float) -> Any:
        shape = tuple(size if isinstance(size, int) else self.capacities[size] for size in type_.shape)
        if type_.is_sparse:
            none = np.zeros(0, np.int64)
            return SparseMatrix(shape[0], shape[1], none, none, none)
        return np.full(shape, init, np.float64 if _is_float(dtype_name(type_.element)) else np.int64)

    def load(self, name: str, array: np.ndarray) -> None:
        assert array.shape == self.memories[name].shape
        self.memories[name] = array

    def call(self, **tensors: np.ndarray) -> dict[str, np.ndarray]:
        during = extents_during(self, tensors)
        result = run_step(self.module, self.step, tensors, self.memories, during, strict=self.strict)
        self.last = result
        self.memories.update(result.memories)
        self.lengths.update({name: np.atleast_1d(during[name]) for name in self.lengths if name in during})
        for name, rows in result.cleared.items():
            self.lengths[name] = np.where(rows, 0, self.lengths[name])
            self._forget(name)
        return result.outputs

    def _forget(self, dim: str) -> None:
        """Of a sparse memory nothing is left past the end."""
        for name in self.memories:
            type_ = self.pipeline.declarations[name].type
            if type_.is_sparse and dim in type_.shape and not self.lengths[dim].any():
                self.memories[name] = self._empty(type_, 0)

    def value(self, name: str) -> np.ndarray:
        """A named value of the last step, with NaN where a float is absent."""
        assert self.last is not None
        for value, tensor in self.last.values.items():
            if value.name_hint == name:
                array = np.asarray(tensor.array)
                return np.where(tensor.present, array, np.nan) if array.dtype.kind == "f" else array
        raise KeyError(name)

    def memory(self, name: str) -> np.ndarray:
        return np.asarray(self.memories[name])


def extents_during(session: OracleSession, tensors: Mapping[str, np.ndarray]) -> dict[str, int | np.ndarray]:
    """The live extents of a call of the session's step with these tensors, the step's own rows included."""
    pipeline = session.pipeline
    extents = {name: value for name, value in _extents(pipeline, tensors).items() if name not in session.lengths}
    during: dict[str, int | np.ndarray] = {**extents, **session.extents}
    for name, value in session.lengths.items():
        during[name] = value if pipeline.dims[name].per is not None else int(value[0])
    for name, size in pipeline.steps[session.step].grows.data.items():
        rows = during[size.symbol.data] if isinstance(size, DimAttr) else cast(IntegerAttr, size).value.data
        grown = session.lengths[name] + rows
        during[name] = grown if pipeline.dims[name].per is not None else int(grown[0])
    return during


class ProgramSession(Session):
    """Runs a compiled program: C simulation of the FPGA kernels, Triton's interpreter for the GPU's.

    codes: of the outputs that come as bytes, what they hold (see `output_codes`)."""

    def __init__(
        self, program: Any, capacities: Dims, lengths: Mapping[str, Any], codes: Mapping[str, Codes] | None = None
    ):
        super().__init__()
        self.program, self.codes = program, codes or {}
        self.specification = program.PIPELINE
        self.step = next(iter(self.specification.steps))
        self.state = program.new_state(**capacities)
        self.state.set_lengths(**lengths)

    @property
    def lengths(self) -> dict[str, np.ndarray]:  # type: ignore[override]
        return self.state.lengths

    def load(self, name: str, array: np.ndarray) -> None:
        tensor = self.specification.tensors[name]
        growing = [item for item in tensor.dims if item in self.specification.kept]
        lengths = self.state.lengths[growing[0]].copy() if growing else None
        self.state.load(name, _as_stored(array, tensor), lengths)

    def call(self, **tensors: np.ndarray) -> dict[str, np.ndarray]:
        given = {name: _as_stored(value, self.specification.tensors[name]) for name, value in tensors.items()}
        outputs = self.program.step(self.step)(self.state, self.extents, **given)
        return {
            name: unpack(value.numpy(), *self.codes[name]) if name in self.codes else _plain(value)
            for name, value in outputs.items()
        }

    def memory(self, name: str) -> np.ndarray:
        return self.state.read(name)


def with_derived(pipeline: PipelineOp, sizes: Dims) -> dict[str, int]:
    """Capacities, with those of dims derived from them."""
    found = dict(sizes)
    for name, dim in pipeline.dims.items():
        if dim.derived is not None and dim.of is not None and all(source.data in found for source in dim.of):
            found.setdefault(name, value_of(most_of(dim.functions), [found[source.data] for source in dim.of]))
    return found


def _is_float(element: str) -> bool:
    return element != "index" and dtype_of(element).is_float


def _as_stored(values: np.ndarray, tensor: Any) -> np.ndarray:
    if tensor.codes is not None:  # as values, which the program packs
        return values.astype(np.float32 if values.dtype.kind == "f" else np.int32)
    return encode(values, "i32" if tensor.element == "index" else tensor.element)


def output_codes(module: ModuleOp) -> dict[str, Codes]:
    """The outputs that a compiled program gives as bytes: the type of what these hold, and how many of a row."""
    found = {}
    for op in module.walk():
        if isinstance(op, OutputOp) and is_coded(op.element):
            name, shape = dtype_name(op.element), op.value.type.shape  # type: ignore[attr-defined]
            packed = shape and dtype_of(name).per_byte > 1
            found[op.output.data] = (name, shape[-1] if packed else 0)
    return found


def _plain(value: Any) -> np.ndarray:
    """An output (numpy or torch) as float64, int64 or bool."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = (value.float() if value.is_floating_point() else value).numpy()
    array = np.asarray(value)
    if array.dtype.kind in "iu":
        return array.astype(np.int64)
    return array if array.dtype.kind == "b" else array.astype(np.float64)


def _extents(pipeline: PipelineOp, tensors: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Run-time dims as the given tensors have them."""
    found: dict[str, int] = {}
    for name, array in tensors.items():
        for key, size in zip(pipeline.declarations[name].type.shape, np.shape(array), strict=True):
            if isinstance(key, str):
                found[key] = size
    return found


@cache
def module_of(path: str, dims: tuple[tuple[str, int], ...] = (), stage: str = "mp") -> ModuleOp:
    """The module of a file below the project's root after a stage of the compiler; `mp` is the front end's."""
    module = front_end(read_source(ROOT / path), Options(dims=dict(dims)))
    run_stages(module, stage, {})
    return module


def compile_to(
    path: str,
    out: Path,
    dims: Dims | None = None,
    estimate: Dims | None = None,
    pins: Mapping[str, str] | None = None,
    platform: str = DEFAULT_PLATFORM,
) -> dict[str, Any]:
    """Compile a file below the project's root into `out`; gives the compiler's report. Stages are placed by the rule,
    so that both devices have some; with a pin on the processor the platform has all three kinds. The rest as Options
    has it."""
    if "cpu" in (pins or {}).values():
        platform = THREE_KINDS
    options = Options(platform, dims or {}, estimate or {}, pins or {}, policy="intensity")
    compilation = compile_source_file(read_source(ROOT / path), options)
    write_directory(compilation, out)
    return compilation.report


def all_on(kind: str, path: str) -> dict[str, str]:
    """Pins that place every stage of a pipeline on one kind of device."""
    return dict.fromkeys(stages_of(path), kind)


def stages_of(path: str) -> list[str]:
    """The stages of a file's steps, sorted."""
    steps = pipeline_of(module_of(path)).steps.values()
    ops = [op for step in steps for op in step.body.block.ops if "stage" in op.attributes]
    return sorted({op.attributes["stage"].data for op in ops})  # type: ignore[attr-defined]
