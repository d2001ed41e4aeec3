"""Draws functions: those that return an expression, called in expressions, and those with statements."""

from __future__ import annotations

from random_programs.extents import as_i32
from random_programs.loops import Loops
from random_programs.program import Function, Invoke, walk, written
from random_programs.rewrite import parts_of
from random_programs.tree import Argument, Call, Expr, Tensor

_MOST = 2


class Functions(Loops):
    """`def`, and calls."""

    def _visible(self) -> dict[str, Tensor]:
        """The declared tensors that a function can read wherever it is called."""
        return {
            tensor.name: tensor
            for tensor in self.tensors.values()
            if tensor.role in ("input", "weight")
            or (tensor.role == "memory" and not (set(tensor.dims) & {"L", *self.growing}) and not tensor.initial)
        }

    # Functions that return an expression

    def formula(self, kind: str, exact: bool) -> Call | None:
        """A function of that kind, as a call with its parameters as arguments; a new one if there are few."""
        known = [item for item in self.formulas if item.kind == kind and (item.exact or not exact)]
        if known and (len(self.formulas) >= _MOST or self.chance(0.5)):
            return self.random.choice(known)
        if len(self.formulas) >= _MOST or self.arguments:
            return None
        return self._new_formula(kind, exact)

    def _new_formula(self, kind: str, exact: bool) -> Call | None:
        names, layered, rows = self.names, self.layered, self.loops
        arguments = [self._argument(exact) for _ in range(self.random.randint(1, 2))]
        self.names, self.layered, self.loops, self.arguments = self._visible(), {}, [], arguments
        try:
            for _ in range(20):
                body = self.expressions().of_kind(kind, {}, 2, exact=exact)
                used = {part.name for part in parts_of(body) if isinstance(part, Argument)}
                if used and body.kind == kind and body.bound <= 1e5 and (body.exact or not exact):
                    return self._formula(body, [item for item in arguments if item.name in used])
        finally:
            self.names, self.layered, self.loops, self.arguments = names, layered, rows, []
        return None

    def _argument(self, exact: bool) -> Argument:
        name = self.fresh("v")
        if self.chance(0.3):
            return Argument("i", True, 64, 0, name)
        return Argument("f", exact, 8, 3 if exact else 24, name)

    def _formula(self, body: Expr, arguments: list[Argument]) -> Call:
        name = self.fresh("fun")
        parameters = tuple(item.name for item in arguments)
        self.functions.append(Function(name, parameters, (), (body,)))
        facts = (body.kind, body.exact, body.bound, body.step_bits)
        self.formulas.append(Call(*facts, name, parameters, tuple(arguments), body))
        return self.formulas[-1]

    # Functions with statements

    def invoke(self) -> bool:
        """A call of a function with statements, whose results get names."""
        known = [item for item in self.functions if item.body]
        if len(known) < _MOST and self.chance(0.6):
            known = []
        for _ in range(3):
            function = self.random.choice(known) if known else self._new_function()
            if function is not None and self._called(function):
                return True
        return False

    def _called(self, function: Function) -> bool:
        memories = {memory.name for memory in self.memories}
        writes = any(memories & set(written(item)) for item in walk(function.body))
        if writes and (self.conditional or self.layered):
            return False
        chosen = []
        for parameter in function.parameters:
            assert isinstance(parameter, Tensor)
            ready = [tensor.name for tensor in self.names.values() if self._takes(parameter, tensor)]
            if not ready:
                return False
            chosen.append(self.random.choice(ready))
        targets = []
        for result in function.results:
            if isinstance(result, str):
                found = self.tensors[result]
                target = self.known(_renamed(found, self.fresh("s")))
                self.present |= {target.name} if result in self.results_present else set()
            else:
                target = self.value(self.fresh("s"), (), result)
            targets.append(target)
        if writes:
            self.present -= memories & {name for item in walk(function.body) for name in written(item)}
        self.body.append(Invoke(function.name, tuple(chosen), tuple(targets)))
        return True

    def _takes(self, parameter: Tensor, tensor: Tensor) -> bool:
        plain = tensor.role in ("value", "input", "weight") and not tensor.name.startswith("any")
        same = tensor.dims == parameter.dims and tensor.kind == parameter.kind
        within = tensor.bound <= parameter.bound and tensor.step_bits <= parameter.step_bits
        known = parameter.name not in self.results_present or tensor.name in self.present
        return plain and same and within and known and (tensor.exact or not parameter.exact)

    def _new_function(self) -> Function | None:
        """A function over tensors like some that can be read here."""
        like = [
            tensor
            for tensor in self.names.values()
            if tensor.role in ("value", "input", "weight")
            and tensor.kind in "fi"
            and not tensor.name.startswith("any")
            and "L" not in tensor.dims
        ]
        if not like or self.function:
            return None
        chosen = self.random.sample(like, min(len(like), self.random.randint(1, 2)))
        parameters = [_renamed(tensor, self.fresh("a"), "parameter") for tensor in chosen]
        state = (self.body, self.names, self.present, self.layered, self.loops, self.guards, self.conditional)
        present = {item.name for item, tensor in zip(parameters, chosen, strict=True) if tensor.name in self.present}
        self.results_present |= present
        self.body, self.names, self.layered, self.loops, self.guards = [], self._visible(), {}, [], {}
        self.present = present | {name for name, tensor in self.names.items() if tensor.role != "memory"}
        self.conditional, self.function = False, True
        for parameter in parameters:
            self.known(parameter)
        before = set(self.names)
        makes = (
            *[self.define] * 3,
            self.topk,
            self.extreme,
            self.sort,
            self.softmax,
            self.loop,
            self.update,
            self.invoke,
        )
        for _ in range(self.random.randint(1, 3)):
            self.random.choice(makes)()
        function = self._returned(parameters, before)
        (self.body, self.names, self.present, self.layered, self.loops, self.guards, self.conditional) = state
        self.function = False
        return function

    def _returned(self, parameters: list[Tensor], before: set[str]) -> Function | None:
        """The function with what was drawn as its body."""
        inside = [
            name
            for name, tensor in self.names.items()
            if name not in before and tensor.role == "value" and not name.startswith("any")
        ]
        if not inside:
            return None
        results: list[Expr | str] = list(self.random.sample(inside, min(len(inside), self.random.choice((1, 1, 2)))))
        self.results_present |= set(inside) & self.present
        if self.chance(0.3):
            value = as_i32(self.expressions().of_kind(self.random.choice("fi"), {}, 2))
            if value.bound <= 1e6 and value.kind != "x":
                results.append(value)
        function = Function(self.fresh("fun"), tuple(parameters), tuple(self.body), tuple(results))
        self.functions.append(function)
        return function


def _renamed(tensor: Tensor, name: str, role: str = "value") -> Tensor:
    facts = (tensor.kind, tensor.exact, tensor.bound, tensor.step_bits)
    return Tensor(name, tensor.dims, tensor.dtype, role, *facts, scores=tensor.scores)
