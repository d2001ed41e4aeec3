"""Statements of the form `targets = value`: which op a value becomes, and what its targets must look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hetc.compiler.frontend.constructs.loops import LoopEmitter
from hetc.compiler.frontend.constructs.quantize import IrregularEmitter
from hetc.compiler.frontend.constructs.softmax import check_rows
from hetc.compiler.frontend.constructs.sort import SortEmitter
from hetc.compiler.frontend.constructs.stages import pin, stage_around
from hetc.compiler.frontend.constructs.update import UpdateEmitter
from hetc.compiler.frontend.constructs.when import take_guard
from hetc.compiler.frontend.expand.concat import expand_concat
from hetc.compiler.frontend.expand.inline import Inliner
from hetc.compiler.frontend.expand.run_time_topk import RunTimeTopk
from hetc.compiler.frontend.expand.shadowing import with_own_names
from hetc.compiler.frontend.lower.hoist import define
from hetc.compiler.frontend.lower.step import StepEmitter
from hetc.compiler.frontend.resolve import typed
from hetc.compiler.frontend.resolve.constraints import constraints_of
from hetc.compiler.frontend.resolve.environment import Ended, Refused
from hetc.compiler.frontend.resolve.expressions import resolve
from hetc.compiler.frontend.resolve.symbols import Tensor
from hetc.compiler.frontend.syntax import ast
from hetc.compiler.vocabulary import Kind, table
from hetc.diagnostics import Related

_GIVE_TENSORS = table(Kind.SELECTION, Kind.CONVERSION)


class StatementEmitter:
    """Emits the statements of a step, one at a time, each whole or not at all."""

    def __init__(self, step: StepEmitter, inliner: Inliner):
        self.step = step
        self.inliner = inliner
        self.environment = step.environment
        self.irregular = IrregularEmitter(step)
        self.update = UpdateEmitter(step)
        self.loop = LoopEmitter(step, inliner, self.emit)
        self.sort = SortEmitter(step)
        self.topk = RunTimeTopk(step, self._define)

    def emit(self, statement: ast.Statement) -> None:
        """After an error the statement's names are poisoned: later uses of them say nothing more."""
        match statement:
            case ast.Repeat() | ast.Loop():
                with stage_around(statement, self.step):
                    self.loop.emit(statement)
            case ast.Inlined():
                self._inlined(statement)
            case ast.When():
                with stage_around(statement, self.step):
                    self._when(statement)
            case ast.Stage():
                self._stage(statement)
            case _:
                self._simple(statement)

    def _stage(self, stage: ast.Stage) -> None:
        pin(stage, self.step)
        with self.step.in_stage(stage.name):
            for inner in stage.statements:
                self.emit(inner)

    def _simple(self, statement: ast.Define | ast.Effect) -> None:
        try:
            if isinstance(statement, ast.Define):
                self._check_each_once(statement)
            expanded = self.inliner.expand(statement, self.environment)
            if expanded is not None:
                self.emit(expanded)
            elif isinstance(statement, ast.Effect):
                self.irregular.effect(statement)
            else:
                self._define(statement)
        except Refused:
            self.environment.poison(statement)

    def _define(self, statement: ast.Define) -> None:
        environment = self.environment
        statement = replace(statement, targets=tuple(self._with_places(target) for target in statement.targets))
        statement = with_own_names(statement)
        for target in statement.targets:
            self._check_target(target)
        if statement.operator == "is":
            self._alias(statement)
            return
        statement = expand_concat(statement, environment)
        if self._is_update(statement):
            self.update.emit(statement.targets[0], statement)
            return
        value = statement.value if statement.operator == "=" else self._augmented(statement)
        function = value.function if isinstance(value, ast.Call) and value.indices else ""
        if function == "sort":
            assert isinstance(value, ast.Call)
            self.sort.define(statement, value)
            return
        count = self.topk.count_of(value) if isinstance(value, ast.Call) and function == "topk" else None
        if count is not None:
            assert isinstance(value, ast.Call)
            self.topk.define(statement, value, count)
            return
        if function in ("topk", "select", "quantize"):
            assert isinstance(value, ast.Call)
            self.irregular.define(function, statement.targets, value, statement.span)
            return
        if function in ("argmax", "argmin") and isinstance(value, ast.Call) and len(value.indices) > 1:
            self.irregular.selection.extreme(statement.targets, value, statement.span)
            return
        if len(statement.targets) > 1:
            message = f"{len(statement.targets)} names on the left, but one value on the right"
            help = "topk, sort and quantize give several results, as do argmax and argmin over several indices"
            raise environment.refuse("HET108", message, statement.span, help=help)
        self._plain(statement.targets[0], value, statement)

    def _inlined(self, statement: ast.Inlined) -> None:
        """What a call became; errors in it point at the call."""
        self.environment.calls.append(statement)
        try:
            for inner in statement.statements:
                self.emit(inner)
        finally:
            self.environment.calls.pop()

    def _alias(self, statement: ast.Define) -> None:
        """`y = f(x)`, where the function gives a whole tensor: another name of it."""
        target, value = statement.targets[0], statement.value
        assert isinstance(value, ast.Name)
        if target.name in self.environment.declared:
            message = f"the update of the memory `{target.name}` needs its indices"
            help = "give the result a name first, then write it element by element"
            raise self.environment.refuse("HET201", message, target.span, help=help)
        tensor = self.environment.tensor(value.name, value.span)
        self.step.define(target.name, target.name_span, tensor.value)
        self.environment.tensors[target.name].constant = tensor.constant

    def _when(self, statement: ast.When) -> None:
        """What stands inside is computed in any case; memories are written where the condition holds. Names that are
        defined inside end with the block."""
        environment = self.environment
        try:
            expanded = self.inliner.expand(statement, environment)
            if expanded is None:
                environment.guards.append(take_guard(self.step, statement.condition))
        except Refused:
            return
        if expanded is not None:
            self.emit(expanded)
            return
        outside = dict(environment.tensors)
        for inner in statement.statements:
            self.emit(inner)
        environment.guards.pop()
        for name in list(environment.tensors):
            if name in environment.declared:
                continue
            if name in outside:
                environment.tensors[name] = outside[name]
            else:
                environment.ended.setdefault(name, Ended(statement.span, "what outlives a `when` is a memory"))
                del environment.tensors[name]

    def _augmented(self, statement: ast.Define) -> ast.Expr:
        """`a[i] += x` as `a[i] + x`."""
        target = statement.targets[0]
        if len(statement.targets) > 1:
            message = f"`{statement.operator}` updates one tensor, got {len(statement.targets)}"
            raise self.environment.refuse("HET108", message, statement.span)
        names = tuple(ast.Name(index.name, index.span) for index in target.indices if isinstance(index, ast.Index))
        before: ast.Expr = ast.Name(target.name, target.name_span)
        if names:
            before = ast.Access(target.name, names, target.name_span, target.span)
        return ast.Binary(statement.operator[:-1], before, statement.value, statement.span)

    def _with_places(self, target: ast.Target) -> ast.Target:
        """The target of a memory with the names of single values read as what they hold: `m[at, d] = ...` writes at
        `at`. An index of another tensor has a name of its own."""
        environment = self.environment
        declared = environment.declared.get(target.name)
        found: list[ast.Index | ast.Expr] = []
        for item in target.indices:
            if not isinstance(item, ast.Index) or not environment.is_single(item.name):
                found.append(item)
            elif declared is not None and declared.role == "memory" and item.bound is None:
                found.append(ast.Name(item.name, item.span))
            else:
                related = (Related(environment.names()[item.name], "defined here"),)
                help = "give the index another name"
                message = f"`{item.name}` is a value, not a new index"
                raise environment.refuse("HET101", message, item.span, related=related, help=help)
        return replace(target, indices=tuple(found))

    def _check_each_once(self, statement: ast.Define) -> None:
        """Refuses a statement that gives one name two results."""
        first: dict[str, ast.Target] = {}
        for target in statement.targets:
            before = first.setdefault(target.name, target)
            if before is not target:
                related = (Related(before.span, "the first time"),)
                message = f"`{target.name}` stands twice on the left"
                raise self.environment.refuse("HET101", message, target.name_span, related=related)

    def _check_target(self, target: ast.Target) -> None:
        environment = self.environment
        declared = environment.declared.get(target.name)
        if declared is not None and declared.role != "memory":
            article = "an" if declared.role == "input" else "a"
            message = f"`{target.name}` is {article} {declared.role}; only memories are written"
            related = (Related(declared.span, "declared here"),)
            raise environment.refuse("HET101", message, target.name_span, related=related)
        if target.name in environment.dims:
            related = (Related(environment.dims[target.name].span, "declared here"),)
            raise environment.refuse("HET101", f"`{target.name}` is a dim", target.name_span, related=related)
        for index in target.indices:
            if not isinstance(index, ast.Index) and declared is None:
                message = "on the left stand plain indices: `d` or `d < 64`"
                raise environment.refuse("HET108", message, index.span)

    def _plain(self, target: ast.Target, value: ast.Expr, statement: ast.Define) -> None:
        environment = self.environment
        declared = environment.declared.get(target.name)
        indices = [index for index in target.indices if isinstance(index, ast.Index)]
        shape: Sequence[int | str] = declared.type.shape if declared is not None else ()
        known = [constraints_of(shape, index.span, f"`{target.name}`")[at : at + 1] for at, index in enumerate(indices)]
        axes, (found,) = resolve(environment, indices, [value], known)
        if declared is not None:
            environment.used.add(target.name)
            type_ = declared.type.plain
            result = define(self.step, target.name, axes, found, statement.span, type_, is_memory=True)
        elif not axes and isinstance(found, typed.Literal) and not isinstance(found.value, bool):
            # `k1 = 1.2`: a name for a number, no tensor.
            environment.tensors[target.name] = Tensor(target.name, target.name_span, constant=found.value)
            environment.later.pop(target.name, None)
            return
        else:
            if isinstance(found, typed.Softmax):
                check_rows(axes, found.axes, "softmax", found.span, environment)
            result = define(self.step, target.name, axes, found, statement.span)
        self.step.define(target.name, target.name_span, result)

    def _is_update(self, statement: ast.Define) -> bool:
        """Whether a statement writes to a memory in part, at computed places, or by adding to it. One that writes all
        elements, each once, defines the memory anew like any other tensor."""
        environment = self.environment
        target = statement.targets[0]
        declared = environment.declared.get(target.name)
        value = statement.value
        irregular = isinstance(value, ast.Call) and bool(value.indices) and value.function in _GIVE_TENSORS
        if declared is None or len(statement.targets) > 1 or irregular:
            return False
        related = (Related(declared.span, "declared here"),)
        if declared.type.is_sparse:
            raise environment.refuse("HET301", "updates of a sparse memory are not supported yet", target.span)
        shape = declared.type.shape
        if len(target.indices) != len(shape):
            message = f"the update of `{target.name}` needs {len(shape)} indices, got {len(target.indices)}"
            raise environment.refuse("HET105", message, target.span, related=related)
        if any(isinstance(key, str) and key in environment.growth for key in shape):
            return True
        bounded = any(not isinstance(item, ast.Index) or self._is_part(item, key)
                      for item, key in zip(target.indices, shape, strict=True))  # fmt: skip
        return bounded or statement.operator in ("+=", "-=") or bool(environment.guards)

    def _is_part(self, index: ast.Index, key: int | str) -> bool:
        """Whether an index is bounded by something else than the memory's own dim."""
        bound = index.bound
        if bound is None:
            return False
        dim = self.environment.dims.get(bound.name) if isinstance(bound, ast.Name) else None
        if dim is not None:
            return dim.key != key
        return not (isinstance(bound, ast.Number) and bound.value == key)
