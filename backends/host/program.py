"""A host program as a Python module, `host/<pipeline>_host.py`."""

from __future__ import annotations

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from hetc.backends.host import values
from hetc.backends.host.names import method_name, plan_name
from hetc.backends.host.step import StepPrinter
from hetc.devices import UnknownKind, device_kind
from hetc.diagnostics import Diagnostic
from hetc.dialects import host
from hetc.dialects.host import HOST_KIND, BufferType
from hetc.dialects.mp import DeclareOp, DimOp, RowsAttr, SparseAttr, dtype_name
from hetc.dialects.mp.derived import most_of
from hetc.writer import Writer

_INTRODUCTION = '''"""Host program of the pipeline `{name}`, compiled from {source}.

    from hetc.runtime.program import load_program
    program = load_program(DIRECTORY)          # devices: {devices}
    state = program.new_state({capacities})
    outputs = program.{method}(state, ...)

A tensor is a numpy array or a torch tensor of its declared dtype; float32 is accepted for every float dtype and
rounded to nearest even. Weights are read at each call as they are then; those that `program.freeze` was told of are
copied once and may be left out. Run as a script, it says what its kernels run on; with --check it runs every step
on random inputs and compares each kernel with the oracle.{notes}
"""'''
_WIDTH = 100


def check(module: ModuleOp) -> list[Diagnostic]:
    """What cannot be printed: nothing, after lower-to-host."""
    return []


def emit(module: ModuleOp) -> dict[str, str]:
    """Path -> text of every host program."""
    programs = [op for op in module.body.block.ops if isinstance(op, host.ProgramOp)]
    return {f"host/{op.pipeline.data}_host.py": emit_program(op) for op in programs}


def emit_program(program: host.ProgramOp) -> str:
    """The text of one host program."""
    writer = Writer("    ")
    kinds = _device_kinds(program)
    _introduction(program, writer, kinds)
    _pipeline(program, writer, kinds)
    writer.line()
    writer.line()
    writer.line("class Program(HostProgram):")
    with writer.indent():
        name = program.pipeline.data
        writer.line(f'"""The pipeline `{name}`: one method a step, memories in states made by `new_state`."""')
        writer.line()
        _tables(program, writer)
        for step in program.steps:
            writer.line()
            StepPrinter(program, step, writer).print()
    writer.line()
    writer.line()
    writer.line('if __name__ == "__main__":')
    with writer.indent():
        writer.line("main(Program, __file__)")
    return writer.text()


def _introduction(program: host.ProgramOp, writer: Writer, kinds: list[str]) -> None:
    run_time = [name for name, dim in program.dims.items() if not dim.is_static and dim.derived is None]
    used = {size for op in program.declarations.values() if op.role.data == "memory" for size in op.type.shape}
    used |= {op.per.data for name, op in program.dims.items() if name in used and op.per is not None}
    writer.line(
        _INTRODUCTION.format(
            name=program.pipeline.data,
            source=program.source.data or "IR",
            devices=", ".join(kinds) or "none",
            capacities=", ".join(f"{name}=..." for name in run_time if name in used),
            method=method_name(program.steps[0].sym_name.data) if program.steps else "step",
            notes="".join(f"\n\n{note}" for note in map(_notes, kinds) if note),
        )
    )
    writer.line()
    writer.line("from __future__ import annotations")
    writer.line()
    writer.line("from collections.abc import Mapping")
    writer.line("from typing import Any")
    writer.line()
    combined = [item for item in program.dims.values() if item.groups is not None]
    with writer.block("from hetc.runtime.host import (", ")"):
        writer.line("Dim, HostProgram, Occupant, Pipeline, PlanBuilder, Rows, State, Step, Stripes, Tensor,")
        writer.line("highest, lowest, main," if combined else "main,")
    writer.line()


def _notes(kind: str) -> str:
    """What a program says of the way in which a kind runs."""
    try:
        return device_kind(kind).notes
    except UnknownKind:
        return ""


def _device_kinds(program: host.ProgramOp) -> list[str]:
    """The kinds that anything lies or runs on, in order of first use."""
    kinds: dict[str, None] = {}
    for op in program.walk():
        for value in op.results:
            if isinstance(value.type, BufferType) and value.type.kind != HOST_KIND:
                kinds[value.type.kind] = None
        if isinstance(op, host.KernelOp):
            kinds[op.device.data] = None
    for declaration in program.declarations.values():
        home = _home(declaration)
        if home != HOST_KIND:
            kinds[home] = None
    return list(kinds)


def _pipeline(program: host.ProgramOp, writer: Writer, kinds: list[str]) -> None:
    with writer.block("PIPELINE = Pipeline(", ")"):
        writer.line(f"name={values.repr_of(program.pipeline.data)},")
        writer.line(f"source={values.repr_of(program.source.data)},")
        with writer.block("dims={", "},"):
            for name, dim in program.dims.items():
                if not dim.is_static:
                    writer.line(f"{values.repr_of(name)}: {_dim(program, dim)},")
        with writer.block("tensors={", "},"):
            memories = {op.declared.data: op for op in program.walk() if isinstance(op, host.MemoryOp)}
            for name, declaration in program.declarations.items():
                writer.line(f"{values.repr_of(name)}: {_tensor(declaration, memories.get(name))},")
        with writer.block("steps={", "},"):
            for step in program.steps:
                _step(step, writer)
        writer.line(f"devices={values.tuple_of(values.repr_of(kind) for kind in kinds)},")
        _workspace(program, writer)


def _workspace(program: host.ProgramOp, writer: Writer) -> None:
    """The values of each slot, each once: several of one shape are as good as one."""
    slots: dict[str, dict[int, dict[str, None]]] = {}
    for op in program.walk():
        if isinstance(op, host.AllocateOp | host.CopyOp) and op.slot_number is not None:
            type_ = op.result.type
            assert isinstance(type_, BufferType)
            slots.setdefault(type_.kind, {}).setdefault(op.slot_number, {})[values.occupant(type_)] = None
    if not slots:
        return
    with writer.block("workspace={", "},"):
        for kind, numbered in slots.items():
            with writer.block(f"{values.repr_of(kind)}: (", "),"):
                for number in sorted(numbered):
                    _slot(list(numbered[number]), writer)


def _slot(occupants: list[str], writer: Writer) -> None:
    """On one line where it fits, else one occupant a line."""
    whole = f"{values.tuple_of(occupants)},"
    if len(whole) <= _WIDTH:
        writer.line(whole)
        return
    with writer.block("(", "),"):
        for text in occupants:
            writer.line(f"{text},")


def _dim(program: host.ProgramOp, dim: DimOp) -> str:
    parts = [f"bound={dim.largest}"]
    if dim.per is not None:
        parts.append(f"per={values.repr_of(dim.per.data)}")
    if dim.derived is not None and dim.of is not None:
        # Constants among the dims that it derives from are put in.
        sources = [name.data for name in dim.of]
        run_time = [name for name in sources if not program.dims[name].is_static]
        texts = [name if name in run_time else str(program.dims[name].largest) for name in sources]
        live, most = values.derived(dim.functions, texts), values.derived(most_of(dim.functions), texts)
        parts.append(f"of={values.tuple_of(values.repr_of(name) for name in run_time)}")
        parts.append(f"derived=lambda {', '.join(run_time)}: {live}")
        parts += [f"most=lambda {', '.join(run_time)}: {most}"] if most != live else []
    return f"Dim({', '.join(parts)})"


def _tensor(declaration: DeclareOp, memory: host.MemoryOp | None) -> str:
    type_ = declaration.type
    parts = [values.repr_of(declaration.role.data), values.extents(type_), values.element(type_)]
    if declaration.role.data == "memory":
        parts.append(f"home={values.repr_of(_home(declaration))}")
    if isinstance(type_.storage, SparseAttr):
        parts.append(f"stored_bound={type_.storage.stored_bound.data}")
    if type_.coded is not None:
        codes = (dtype_name(type_.coded.element), type_.coded.count.data)
        parts.append(f"codes={values.tuple_of(map(values.repr_of, codes))}")
    if type_.rows is not None:
        parts.append(f"rows={_rows(type_.rows)}")
    if "group" in declaration.attributes:
        parts.append(f"group={values.repr_of(declaration.attributes['group'].data)}")  # type: ignore[attr-defined]
    if declaration.init is not None:
        parts.append(f"init={values.number(values.number_of(declaration.init))}")
    if memory is not None:
        buffer = memory.result.type
        assert isinstance(buffer, BufferType)
        if buffer.depth:
            parts.append(f"layered={buffer.depth}")
        if buffer.channels.data > 1:
            parts.append(f"stripes={buffer.channels.data}, striped_axis={buffer.axis.data}")
    return f"Tensor({', '.join(parts)})"


def _rows(rows: RowsAttr) -> str:
    """Where rows lie: `Rows(row=132, offset=128, block=64, page=8448)`, what is 0 left out."""
    listed = {name: getattr(rows, name).data for name in ("row", "offset", "block", "page")}
    return f"Rows({', '.join(f'{name}={value}' for name, value in listed.items() if value)})"


def _home(declaration: DeclareOp) -> str:
    home = declaration.attributes.get("home")
    return getattr(home, "data", HOST_KIND) if declaration.role.data == "memory" else HOST_KIND


def _step(step: host.StepOp, writer: Writer) -> None:
    ops: list[Operation] = list(step.block.ops)
    takes = [values.repr_of(op.declared.data) for op in ops if isinstance(op, host.InputOp)]
    gives = [values.repr_of(op.output.data) for op in ops if isinstance(op, host.OutputOp)]
    grows = [f"{values.repr_of(dim)}: {values.growth(size)}" for dim, size in step.grows.data.items()]
    with writer.block(f"{values.repr_of(step.sym_name.data)}: Step(", "),"):
        writer.line(f"grows={{{', '.join(grows)}}},")
        writer.line(f"takes={values.tuple_of(takes)},")
        writer.line(f"gives={values.tuple_of(gives)},")


def _tables(program: host.ProgramOp, writer: Writer) -> None:
    """What the base class reads: the pipeline, kernels by device, methods by step, constants."""
    writer.line("PIPELINE = PIPELINE")
    kernels: dict[str, dict[str, None]] = {}
    for op in program.walk():
        if isinstance(op, host.KernelOp):
            kernels.setdefault(op.device.data, {}).update({launch.kernel.data: None for launch in op.launches})
    with writer.block("KERNELS = {", "}"):
        for kind, names in kernels.items():
            with writer.block(f"{values.repr_of(kind)}: (", "),"):
                for name in names:
                    writer.line(f"{values.repr_of(name)},")
    methods = [
        f"{values.repr_of(op.sym_name.data)}: {values.repr_of(method_name(op.sym_name.data))}" for op in program.steps
    ]
    plans = [
        f"{values.repr_of(op.sym_name.data)}: {values.repr_of(plan_name(op.sym_name.data))}" for op in program.steps
    ]
    writer.line(f"METHODS = {{{', '.join(methods)}}}")
    writer.line(f"PLANS = {{{', '.join(plans)}}}")
    constants = [op for op in program.walk() if isinstance(op, host.ConstantOp)]
    if constants:
        with writer.block("CONSTANTS = {", "}"):
            for op in constants:
                type_ = op.result.type
                assert isinstance(type_, BufferType)
                shape, element = values.extents(type_.tensor), values.element(type_.tensor)
                writer.line(f"{values.repr_of(op.constant.data)}: ({shape}, {element}, {values.table(op.value)}),")
