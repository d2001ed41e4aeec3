"""Executes a step of a module, or one kernel of it, statement by statement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue

from hetc.backends.reference import statements
from hetc.backends.reference.environment import Environment, OracleError, complete
from hetc.backends.reference.loop import as_stored, layer, pass_number, whole
from hetc.backends.reference.memory import append, committed
from hetc.backends.reference.scatter import scatter
from hetc.backends.reference.selection import Selection
from hetc.backends.reference.sparse import SparseMatrix
from hetc.backends.reference.tensors import SparseTensor, Tensor, bind, stored, values_of
from hetc.backends.reference.update import update
from hetc.dialects.mp import (
    AppendOp,
    ClearOp,
    CommitOp,
    ComputeOp,
    ConstantOp,
    DimOp,
    ForOp,
    GetOp,
    NextOp,
    OutputOp,
    PipelineOp,
    QuantizeOp,
    RopeOp,
    ScatterOp,
    SelectOp,
    SoftmaxOp,
    StepOp,
    TensorType,
    TopkOp,
    UpdateOp,
)
from hetc.dialects.task import KernelOp, ReturnOp, TransferOp

Given = np.ndarray | SparseMatrix
Dims = Mapping[str, int | np.ndarray]


@dataclass
class StepResult:
    """outputs: name -> float64, int64 or bool, rounded to the output's type; 0 / -1 / false where absent.
    memories: name -> what each committed memory holds, of the given capacity (spare rows as given). A narrow
        type keeps its storage dtype, f32 becomes float64.
    cleared: name of a dim -> whether its memories are emptied: one bool, or one for each row.
    values: every tensor value of the step -> its array, presence and magnitude.
    output_values: name -> the value that was put out.
    """

    outputs: dict[str, np.ndarray] = field(default_factory=dict)
    memories: dict[str, Given] = field(default_factory=dict)
    cleared: dict[str, np.ndarray] = field(default_factory=dict)
    values: dict[SSAValue, Tensor | SparseTensor] = field(default_factory=dict)
    output_values: dict[str, Tensor] = field(default_factory=dict)


def find_step(module: ModuleOp, step_name: str) -> StepOp:
    """The step of that name. Raises OracleError where no pipeline of the module has it."""
    steps = {name: step for op in module.walk() if isinstance(op, PipelineOp) for name, step in op.steps.items()}
    if step_name not in steps:
        raise OracleError(f"no step {step_name}; the module has {', '.join(steps) or 'none'}")
    return steps[step_name]


def run_step(
    module: ModuleOp,
    step_name: str,
    inputs: Mapping[str, Given],
    memories: Mapping[str, Given],
    dims: Dims,
    *,
    strict: bool = False,
    magnitudes: bool = False,
    elements_at_once: int = 1 << 24,
) -> StepResult:
    """Execute one step in float64.

    Tensors are values on both sides, also where the module keeps them in bytes (and bytes are taken, too).
    inputs: name -> array of each input and weight; memories: name -> array or SparseMatrix of each memory. Any
    numpy dtype of the right kind (float, integer, bool; ml_dtypes too); an extent over a run-time dim is a capacity
    of at least the live extent. dims: live extents during the step, the step's own rows included: an int, or for a
    dim per B an int array with a length a row; constant and derived dims may be left out.
    strict: the module is in its explicit form (see Environment).
    Raises OracleError for what is missing, of another shape or not executable.
    """
    step = find_step(module, step_name)
    with np.errstate(all="ignore"):
        environment = complete(Environment(dims, strict, magnitudes, elements_at_once), step)
        return _Execution(environment, {**inputs, **memories}).step(step)


def run_kernel(
    kernel: KernelOp,
    arguments: Sequence[Given | Tensor | SparseTensor],
    dims: Dims,
    *,
    strict: bool = True,
    magnitudes: bool = True,
    elements_at_once: int = 1 << 24,
    selected: Mapping[int, np.ndarray] | None = None,
    reselect: Callable[[Selection], np.ndarray] | None = None,
) -> list[Tensor | SparseTensor]:
    """Execute one task.kernel on the arguments that it received: its results, each with `array` (float64, int64 or
    bool of the live extents), `present` and `magnitude`. Arguments and dims as for `run_step`. Kernels are cut after
    presence was made explicit, so that `strict` is the default.

    selected: position of a result -> the indices that a device put there (a topk's or select's). What the kernel
    computes from them follows the device's, so that a near tie in the selection is no error further on; the returned
    value is the oracle's own selection still. reselect: what stands for each selection that the kernel keeps for
    itself."""
    if len(arguments) != len(kernel.block.args):
        raise OracleError(f"{kernel.sym_name.data} takes {len(kernel.block.args)} arguments, got {len(arguments)}")
    with np.errstate(all="ignore"):
        environment = complete(Environment(dims, strict, magnitudes, elements_at_once), kernel)
        execution = _Execution(environment, {})
        execution.reselect, execution.returned = reselect, set(kernel.returned.values)
        for result, indices in (selected or {}).items():
            execution.selected[kernel.returned.values[result]] = np.asarray(indices)
        for position, (argument, given) in enumerate(zip(kernel.block.args, arguments, strict=True)):
            assert isinstance(argument.type, TensorType)
            label = f"argument {position} of {kernel.sym_name.data}"
            execution.values[argument] = bind(given, argument.type, environment, label)
        execution.statements(kernel.block.ops)
        return [execution.own.get(value, execution.values[value]) for value in kernel.returned.values]


class _Execution:
    """The values of one execution so far."""

    def __init__(self, environment: Environment, given: Mapping[str, Given]):
        self.environment = environment
        self.given = given
        self.values: dict[SSAValue, Tensor | SparseTensor] = {}
        self.result = StepResult(values=self.values)
        self.declared: dict[str, Tensor | SparseTensor] = {}
        self.selected: dict[SSAValue, np.ndarray] = {}
        self.reselect: Callable[[Selection], np.ndarray] | None = None
        self.returned: set[SSAValue] = set()
        self.own: dict[SSAValue, Tensor] = {}

    def step(self, step: StepOp) -> StepResult:
        self.statements(step.body.block.ops)
        return self.result

    def statements(self, ops: Iterable[Operation]) -> None:
        for op in ops:
            self._statement(op)

    def _statement(self, op: Operation) -> None:
        match op:
            case GetOp():
                self._get(op)
            case ClearOp():
                holds = np.asarray(True) if op.condition is None else np.asarray(self.values[op.condition].array, bool)
                before = self.result.cleared.get(op.dim.data, np.asarray(False))
                # One bool is for every row, those that the call is not about included.
                every = any(item.ndim == 0 and item for item in (before, holds))
                self.result.cleared[op.dim.data] = np.asarray(True) if every else before | holds
            case CommitOp():
                self._commit(op)
            case OutputOp():
                self._output(op)
            case KernelOp():
                self._kernel(op)
            case TransferOp():
                self.values[op.result] = self.values[op.value]
            case AppendOp():
                self.values[op.result] = append(op, self.environment, self.values[op.memory], self.values[op.rows])
            case ScatterOp():
                self.values[op.result] = scatter(op, self.environment, *map(self._dense, op.operands))
            case ForOp():
                self._loop(op)
            case ReturnOp() | DimOp() | NextOp():
                pass
            case _:
                self._compute(op)

    def _dense(self, value: SSAValue) -> Tensor:
        tensor = self.values[value]
        if not isinstance(tensor, Tensor):
            raise OracleError("a sparse tensor is read or written as a dense one")
        return tensor

    def _compute(self, op: Operation) -> None:
        environment, values = self.environment, self.values
        results: tuple[Tensor, ...]
        match op:
            case ComputeOp():
                results = statements.compute(op, environment, values)
            case TopkOp():
                results = statements.topk(op, environment, values)
            case SelectOp():
                results = statements.select(op, environment, values)
            case SoftmaxOp():
                results = statements.softmax(op, environment, values)
            case RopeOp():
                results = statements.rope(op, environment, values)
            case QuantizeOp():
                results = statements.quantized(op, environment, values)
            case UpdateOp():
                results = update(op, environment, values)
            case ConstantOp():
                results = (statements.constant(op, environment),)
            case _:
                raise OracleError(f"{op.name} is not a statement that the oracle executes")
        values.update(zip(op.results, results, strict=True))
        for value, tensor in zip(op.results, results, strict=True):
            if self.reselect is not None and tensor.selection is not None and value not in self.returned:
                self.selected[value] = self.reselect(tensor.selection)
            if value in self.selected:
                if tensor.selection is None:
                    raise OracleError(f"a result given in `selected` is one of {op.name}, which selects nothing")
                part = tuple(slice(extent) for extent in tensor.array.shape)
                self.own[value] = tensor
                values[value] = replace(tensor, array=self.selected[value][part].astype(np.int64))
                if isinstance(op, TopkOp):  # in the order of the entries, which `any` leaves to the device
                    if value in self.returned:
                        self.own[op.scores] = results[1]
                    values[op.scores] = statements.scores_at(op, environment, tensor.selection, values[value].array)

    def _loop(self, op: ForOp) -> None:
        values, ends = self.values, op.next
        carried = [as_stored(values[value]) for value in op.carried]
        written: list[list[Tensor]] = [[] for _ in ends.layers]
        for number in range(op.passes):
            values[op.number] = pass_number(number)
            values.update(zip(op.carried_arguments, carried, strict=True))
            for argument, tensor in zip(op.layer_arguments, op.sliced, strict=True):
                values[argument] = layer(values[tensor], number, op.passes)
            self.statements(op.body.block.ops)
            carried = [as_stored(values[value]) for value in ends.carried]
            for layers, value in zip(written, ends.layers, strict=True):
                layers.append(as_stored(values[value]))
        values.update(zip(op.carried_outputs, carried, strict=True))
        for output, layers in zip(op.written_outputs, written, strict=True):
            assert isinstance(output.type, TensorType)
            values[output] = whole(layers, output.type, self.environment)

    def _get(self, op: GetOp) -> None:
        name = op.declared.data
        if name not in self.given:
            raise OracleError(f"no array given for {name}")
        type_ = op.result.type
        assert isinstance(type_, TensorType)
        tensor = bind(self.given[name], type_, self.environment, name)
        self.declared[name] = self.values[op.result] = tensor

    def _commit(self, op: CommitOp) -> None:
        name = op.declared.data
        if name not in self.declared:  # overwritten without being read
            if name not in self.given:
                raise OracleError(f"no array given for {name}")
            type_ = op.value.type
            assert isinstance(type_, TensorType)
            self.declared[name] = bind(self.given[name], type_, self.environment, name)
        held = committed(self.environment, self.declared[name], self.values[op.value])
        if not isinstance(held, SparseMatrix):
            held = values_of(held, self.declared[name].type)
        self.result.memories[name] = held

    def _output(self, op: OutputOp) -> None:
        value = self.values[op.value]
        if not isinstance(value, Tensor):
            raise OracleError(f"output {op.output.data} is sparse")
        part = tuple(slice(self.environment.longest(key)) for key in value.type.shape)
        self.result.outputs[op.output.data] = values_of(stored(value.array[part], op.element), value.type)
        self.result.output_values[op.output.data] = value

    def _kernel(self, op: KernelOp) -> None:
        self.values.update(zip(op.block.args, (self.values[value] for value in op.arguments), strict=True))
        self.statements(op.block.ops)
        self.values.update(zip(op.outputs, (self.values[value] for value in op.returned.values), strict=True))
