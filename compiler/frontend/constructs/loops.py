"""`for l in L:` and `repeat 5:`: the statements inside become the region of one op."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from xdsl.dialects.builtin import IndexType
from xdsl.ir import Block, Region, SSAValue

from hetc.compiler.frontend.expand.inline import Inliner
from hetc.compiler.frontend.expand.layers import Uses, assigned, by_layers, layer_name
from hetc.compiler.frontend.lower.emitter import StepEmitter
from hetc.compiler.frontend.resolve import typed
from hetc.compiler.frontend.resolve.dims import evaluate_integer
from hetc.compiler.frontend.resolve.environment import Ended, Environment, LoopLayers, Refused
from hetc.compiler.frontend.resolve.names import plain_name
from hetc.compiler.frontend.resolve.symbols import Declared, Tensor
from hetc.compiler.frontend.syntax import ast
from hetc.diagnostics import Related
from hetc.dialects.mp import (
    PASS_NUMBER,
    ComputeOp,
    ForOp,
    NextOp,
    TensorType,
    WideIndexType,
    dtype_name,
    layer_type,
    values_a_byte,
)
from hetc.source import Span


@dataclass(frozen=True)
class Loop:
    """A loop and what it does with names from around it: `carried` from pass to pass, `sliced` by layers, of which
    `written` get new contents. `body`: its statements, with layers under names of their own."""

    index: str
    passes: int
    carried: tuple[str, ...]
    sliced: tuple[str, ...]
    written: tuple[str, ...]
    body: tuple[ast.Statement, ...]
    span: Span


def resolve_loop(loop: ast.Repeat | ast.Loop, environment: Environment, inliner: Inliner) -> Loop:
    """Raises Refused after a diagnostic."""
    index = _index(loop, environment)
    passes = _passes(loop, environment)
    body = tuple(_expanded(loop.statements, environment, inliner))
    carried, sliced, written = _names(body, index, passes, environment)
    inside = tuple(by_layers(inner, index, sliced) for inner in body) if index else body
    return Loop(index, passes, tuple(carried), tuple(sliced), tuple(written), inside, loop.span)


def _passes(loop: ast.Repeat | ast.Loop, environment: Environment) -> int:
    """How many passes; one after an error, so that the statements inside are still checked."""
    count, purpose = (
        (loop.count, "the number of repetitions")
        if isinstance(loop, ast.Repeat)
        else (loop.extent, "the number of layers")
    )
    try:
        return evaluate_integer(count, environment, purpose, low=1)
    except Refused:
        return 1


def _index(loop: ast.Repeat | ast.Loop, environment: Environment) -> str:
    if isinstance(loop, ast.Repeat):
        return ""
    name = loop.index.name
    if name in environment.dims or name in environment.tensors:
        message = f"`{name}` has a meaning already; a loop has an index of its own"
        raise environment.refuse("HET101", message, loop.index.span)
    return name


def _expanded(
    statements: Iterable[ast.Statement], environment: Environment, inliner: Inliner
) -> Iterator[ast.Statement]:
    """The statements with the calls of functions inside of them replaced by what they say."""
    for statement in statements:
        if isinstance(statement, ast.Inlined):
            yield statement
            continue
        if not isinstance(statement, ast.Define | ast.Effect):
            statement = replace(statement, statements=tuple(_expanded(statement.statements, environment, inliner)))
        if isinstance(statement, ast.Repeat | ast.Loop | ast.Stage):
            yield statement
            continue
        try:
            yield inliner.expand(statement, environment) or statement
        except Refused:
            if isinstance(statement, ast.Define | ast.Effect):
                environment.poison(statement)


def _names(
    body: tuple[ast.Statement, ...], index: str, passes: int, environment: Environment
) -> tuple[list[str], list[str], list[str]]:
    """The names that are carried, those that are sliced, and those of them that are written."""
    uses, names = Uses().add(body, index), assigned(body)
    sliced, written = [], []
    for name, tensor in environment.tensors.items():
        if name not in uses.layered or tensor.declared is None or tensor.is_poisoned:
            continue
        layers = _layers_of(tensor.type)
        # A layer is read as it is stored; what the step defined anew may have absent elements.
        stored = tensor.value is not None and not isinstance(tensor.value.owner, ComputeOp)
        if name not in names and layers >= passes and stored:
            sliced.append(name)
        elif name in names and name not in uses.whole and layers == passes:
            sliced.append(name)
            written.append(name)
    known = {name for name, tensor in environment.tensors.items() if not tensor.is_poisoned}
    carried = [
        name
        for name, guarded in names.items()
        # What a `when` defines ends with it; what it writes to a memory does not.
        if name in known and name not in written and (not guarded or name in environment.declared)
    ]
    return carried, sliced, written


def lower_loop(node: Loop, step: StepEmitter, lower: Callable[[ast.Statement], None], told: int) -> None:
    """The op of a loop; `lower` takes one statement of the body. Where more than `told` mistakes are known after it,
    there is no op."""
    _Lowering(node, step, lower).lower(told)


class _Lowering:
    """One loop becoming one op."""

    def __init__(self, node: Loop, step: StepEmitter, lower_statement: Callable[[ast.Statement], None]):
        self.node, self.step, self.environment = node, step, step.environment
        self.lower_statement = lower_statement
        self.before: dict[str, Tensor] = {}

    def lower(self, told: int) -> None:
        environment, names = self.environment, self.node
        carried = [self._initial(name) for name in names.carried]
        sliced = [_value(environment.tensors[name]) for name in names.sliced]
        types = [*(value.type for value in carried), *(layer_type(_type(value), self.node.passes) for value in sliced)]
        block = Block(arg_types=[PASS_NUMBER, *types])
        environment.know_passes(block.args[0], self.node.passes)
        self.before = dict(environment.tensors)
        with self._inside(block):
            for statement in self.node.body:
                self.lower_statement(statement)
            inside = dict(environment.tensors)
            ends = self._ends(block) if len(environment.diagnostics) == told else None
        self._end_names(inside)
        if ends is None:
            return
        kept = [at for at, end in enumerate(ends[: len(carried)]) if end is not None]
        for at in reversed(range(len(carried))):
            if at not in kept:
                block.erase_arg(block.args[1 + at])
                self._end(names.carried[at])
                environment.tensors.pop(names.carried[at])
        new = [end for end in ends if end is not None]
        self.step.block, outer = block, self.step.block
        self.step.add(NextOp(new[: len(kept)], new[len(kept) :]), self.node.span)
        self.step.block = outer
        written = [names.sliced.index(name) for name in names.written]
        op = ForOp(self.node.index, self.node.passes, [carried[at] for at in kept], sliced, written, Region(block))
        self.step.add(op, self.node.span)
        for name, value in zip([*(names.carried[at] for at in kept), *names.written], op.outputs, strict=True):
            value.name_hint = plain_name(name)
            self.step.define(name, self.before[name].span, value)

    def _initial(self, name: str) -> SSAValue:
        """What a carried name begins with, or is after a pass; a constant becomes a tensor, and an index takes 32 bits:
        one that needs more is absent."""
        tensor = self.environment.tensors[name]
        if tensor.constant is not None:
            number = typed.Literal(tensor.constant, tensor.span)
            return self.step.compute((), number, tensor.span, name)
        value = _value(tensor)
        if isinstance(_type(value).element, WideIndexType):
            return self.step.copy(value, IndexType(), tensor.span)
        # What is written anew in every pass is row-major.
        return value if _type(value).rows is None else self.step.copy(value, _type(value).element, tensor.span)

    @contextmanager
    def _inside(self, block: Block) -> Iterator[None]:
        """Statements go to `block`, whose arguments the names stand for."""
        environment, step, names = self.environment, self.step, self.node
        outer, step.block = step.block, block
        number, *arguments = block.args
        if self.node.index:
            number.name_hint = self.node.index
            environment.tensors[self.node.index] = Tensor(self.node.index, self.node.span, number)
        layers = tuple(layer_name(name, self.node.index) for name in names.sliced)
        for name, value in zip([*names.carried, *layers], arguments, strict=True):
            original = self._original(name)
            tensor, declared = environment.tensors[original], environment.tensors[original].declared
            value.name_hint = plain_name(original)
            if name != original and declared is not None:
                declared = Declared(name, declared.role, _type(value), declared.span)
                environment.declared[name] = declared
            environment.tensors[name] = Tensor(name, tensor.span, value, declared=declared)
            if name != original and original in environment.appended:
                environment.appended[name] = environment.appended[original]
        environment.loops.append(LoopLayers(frozenset(layers), self.node.passes, self.node.span))
        try:
            yield
        finally:
            environment.loops.pop()
            step.block = outer
            for name in layers:
                environment.declared.pop(name)
                if name in environment.used:
                    environment.used.add(self._original(name))
                if name in environment.appended:
                    environment.appended[self._original(name)] = environment.appended.pop(name)

    def _original(self, name: str) -> str:
        return name.removesuffix(f"[{self.node.index}]") if self.node.index else name

    def _ends(self, block: Block) -> list[SSAValue | None] | None:
        """What each carried name and each written layer is after a pass, None in the place of a name that is no
        longer the same and was not read either. None where a mistake was told."""
        environment = self.environment
        found: list[SSAValue | None] = []
        names = [*self.node.carried, *(layer_name(name, self.node.index) for name in self.node.written)]
        for at, name in enumerate(names):
            begin = block.args[1 + at] if at < len(self.node.carried) else None
            if name not in environment.tensors and begin is not None and begin.first_use is None:
                found.append(None)  # a loop inside of the body ended it
                continue
            try:
                tensor = environment.tensor(name, self.node.span)
            except Refused:
                return None
            end = self._initial(name) if begin is not None else _value(tensor)
            if begin is None or end.type == begin.type:
                found.append(end)
            elif begin.first_use is None:
                found.append(None)
            else:
                self._refuse(name, _type(begin), _type(end), tensor)
                return None
        return found

    def _refuse(self, name: str, begin: TensorType, end: TensorType, tensor: Tensor) -> None:
        related = (Related(self.before[name].span, f"it begins as {_text(begin)}"), Related(tensor.span, "it becomes"))
        message = f"the loop carries `{name}`, which is {_text(begin)} when it begins and {_text(end)} after a pass"
        element = dtype_name(begin.element)
        help = f"cast it: `{element}(...)`" if begin.shape == end.shape and element != "index" else None
        code = "HET106" if begin.shape == end.shape else "HET104"
        self.environment.refuse(code, message, self.node.span, related=related, help=help)

    def _end_names(self, inside: dict[str, Tensor]) -> None:
        """Names that the body defines end with it, as does what a carried name was where it is not carried on."""
        environment = self.environment
        environment.tensors.clear()
        environment.tensors.update(self.before)
        for name, tensor in inside.items():
            if name not in self.before and not name.startswith("%") and name != self.node.index:
                self._end(name)
                if tensor.is_poisoned:
                    environment.broken.add(name)

    def _end(self, name: str) -> None:
        help = f"what a loop hands on has a value of the same extents before it: define `{name}` there, too"
        self.environment.ended.setdefault(name, Ended(self.node.span, help))


def _value(tensor: Tensor) -> SSAValue:
    assert tensor.value is not None
    return tensor.value


def _type(value: SSAValue) -> TensorType:
    assert isinstance(value.type, TensorType)
    return value.type


def _layers_of(type: TensorType) -> int:
    """The constant first extent of a dense tensor, 0 where it has none, or where layers share bytes."""
    apart = type.rank > 1 or values_a_byte(type) == 1
    first = type.shape[0] if type.rank and not type.is_sparse and apart else 0
    return first if isinstance(first, int) else 0


def _text(type: TensorType) -> str:
    return f"{dtype_name(type.element)}[{', '.join(map(str, type.shape))}]"
