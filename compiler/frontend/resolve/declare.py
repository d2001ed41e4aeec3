"""Declared tensors, and how a step grows its memories."""

from __future__ import annotations

from math import prod

from xdsl.dialects.builtin import AnyFloat, IntegerType, i1

from hetc.compiler.frontend.resolve.dims import evaluate, evaluate_integer
from hetc.compiler.frontend.resolve.environment import Environment, Refused
from hetc.compiler.frontend.resolve.functions import DTYPES
from hetc.compiler.frontend.resolve.symbols import Declared
from hetc.compiler.frontend.syntax import ast
from hetc.compiler.frontend.syntax.elsewhere import DTYPES_ELSEWHERE
from hetc.diagnostics import Related, suggest
from hetc.dialects.mp import ELEMENT_TYPES, SparseAttr, TensorType, dtype_name, is_coded, values_a_byte
from hetc.source import Span

# Entries of a sparse tensor are counted in 64 bits.
MAX_STORED = 2**63 - 1


def element_of(dtype: ast.Name, environment: Environment) -> str:
    """The dtype's name, checked."""
    if dtype.name not in DTYPES:
        close = DTYPES_ELSEWHERE.get(dtype.name.lower()) or suggest(dtype.name, DTYPES)
        help = f"did you mean `{close}`?" if close else f"dtypes are {', '.join(DTYPES)}"
        raise environment.refuse("HET110", f"unknown dtype `{dtype.name}`", dtype.span, help=help)
    return dtype.name


def declare_tensors(pipeline: ast.Pipeline, environment: Environment) -> None:
    """Fills `environment.declared`; a refused declaration makes its name broken."""
    for item in pipeline.declarations:
        try:
            declared = _declare(pipeline, item, environment)
        except Refused:
            environment.broken.add(item.name)
        else:
            environment.declared[item.name] = declared


def _declare(pipeline: ast.Pipeline, item: ast.Declaration, environment: Environment) -> Declared:
    others = {dim.name: dim.span for dim in environment.dims.values()}
    others.update((before.name, before.span) for before in environment.declared.values())
    others[pipeline.name] = pipeline.name_span
    if item.name in others:
        related = (Related(others[item.name], "first declared here"),)
        raise environment.refuse("HET101", f"the name `{item.name}` is taken", item.name_span, related=related)
    element = ELEMENT_TYPES[element_of(item.dtype, environment)]
    extents: list[int | str] = []
    for extent in item.extents:
        key = _extent(item, extent, environment)
        _check_per(item, extent, key, extents, environment)
        extents.append(key)
    if item.ring and item.role != "memory":
        raise environment.refuse("HET201", f"only a memory is a ring, not the {item.role} `{item.name}`", item.span)
    storage = None
    if item.sparse:
        stored = _stored_bound(item, environment)
        if len(extents) != 2:
            message = f"a sparse tensor has two dims, `{item.name}` has {len(extents)}"
            raise environment.refuse("HET102", message, item.name_span)
        storage = SparseAttr(min(stored, _most_elements(extents, environment)))
    elif item.stored_bound is not None:
        raise environment.refuse("HET102", "only a sparse tensor has a bound on its stored entries", item.span)
    type_ = TensorType(extents, element, storage)
    check_packed(type_, f"rows of `{item.name}`", item.name_span, environment)
    slots = next((place for place, key in enumerate(extents) if isinstance(key, int)), None)
    ring = (slots, item.counter) if item.counter and slots is not None else None
    if ring is not None and slots == len(extents) - 1 and values_a_byte(type_) > 1:
        message = f"slots of the ring `{item.name}` would share bytes; what it keeps in a slot needs a further extent"
        raise environment.refuse("HET102", message, item.name_span, help="of i8, which takes a byte, it needs none")
    return Declared(item.name, item.role, type_, item.name_span, _initial(item, type_, environment), ring=ring)


def check_packed(type: TensorType, what: str, span: Span, environment: Environment) -> None:
    """What leaves the step lies in bytes, of which each row takes whole ones. Raises Refused."""
    name, count = dtype_name(type.element), values_a_byte(type)
    if type.is_sparse and is_coded(type.element):
        message = f"entries of a sparse tensor of {name} are not supported yet"
        raise environment.refuse("HET301", message, span, help="keep entries of another type, as u8 or f32")
    if count == 1:
        return
    last = type.shape[-1]
    if not isinstance(last, int):
        message = (
            f"{what} are packed, {count} values of {name} a byte: their last extent must be a constant, not `{last}`"
        )
        help = (
            f"put a constant extent last, or keep {'fp8' if name == 'fp4' else 'u8' if name[0] == 'u' else 'i8'} values"
        )
        raise environment.refuse("HET102", message, span, help=help)


def _extent(item: ast.Declaration, extent: ast.Expr, environment: Environment) -> int | str:
    if isinstance(extent, ast.Name) and extent.name in environment.dims:
        environment.used.add(extent.name)
        return environment.dims[extent.name].key
    return evaluate_integer(extent, environment, f"an extent of `{item.name}`", low=1)


def _check_per(
    item: ast.Declaration, extent: ast.Expr, key: int | str, before: list[int | str], environment: Environment
) -> None:
    """A dim with one length a row stands after the row; no run-time dim stands twice."""
    dim = environment.dim_of_extent(key)
    if dim is not None and dim.per is not None and dim.per not in before:
        message = f"`{dim.name}` has one length for each row of `{dim.per}`, so `{dim.per}` must stand before it"
        related = (Related(dim.span, "declared here"),)
        raise environment.refuse("HET107", message, extent.span, related=related)


def _stored_bound(item: ast.Declaration, environment: Environment) -> int:
    if item.stored_bound is None:
        message = f"the sparse tensor `{item.name}` needs a bound on its stored entries"
        raise environment.refuse("HET102", message, item.span, help="write `stored <= 2e9` behind its extents")
    return evaluate_integer(item.stored_bound, environment, "the bound on stored entries", low=1, high=MAX_STORED)


def _most_elements(extents: list[int | str], environment: Environment) -> int:
    """Elements at the dims' bounds: no more can be stored, whatever the program allows."""
    sizes = []
    for key in extents:
        dim = environment.dim_of_extent(key)
        sizes.append(key if isinstance(key, int) else (dim.bound or 1) if dim is not None else 1)
    return prod(sizes)


def _initial(item: ast.Declaration, type_: TensorType, environment: Environment) -> int | float | None:
    if item.initial is None:
        return None
    if item.role != "memory":
        message = f"only a memory has an initial value, not the {item.role} `{item.name}`"
        raise environment.refuse("HET201", message, item.initial.span)
    names = [node for node, _ in ast.walk(item.initial) if isinstance(node, ast.Name)]
    if any(node.name in environment.declared for node in names):
        message = f"the initial value of `{item.name}` is computed from a tensor"
        help = "it is a constant, or an input or a weight by its name alone"
        raise environment.refuse("HET201", message, item.initial.span, help=help)
    if isinstance(item.initial, ast.Boolean):
        if type_.element != i1:
            message = f"{item.initial.span.text} is a bool, and `{item.name}` holds {item.dtype.name}"
            raise environment.refuse("HET106", message, item.initial.span)
        return int(item.initial.value)
    value = evaluate(item.initial, environment, f"the initial value of `{item.name}`")
    if item.sparse and value != 0:
        raise environment.refuse("HET201", "a sparse memory begins empty", item.initial.span)
    if isinstance(type_.element, AnyFloat):
        return float(value)
    if not isinstance(value, int):
        raise environment.refuse("HET106", f"{value} is not an integer", item.initial.span)
    assert isinstance(type_.element, IntegerType)
    low, high = type_.element.value_range()
    if not low <= value < high:
        raise environment.refuse("HET106", f"{value} does not fit {item.dtype.name}", item.initial.span)
    return value


def declare_growth(step: ast.Step, environment: Environment) -> None:
    """Fills `environment.growth`: how many rows the step appends along each growing dim."""
    for growth in step.grows:
        try:
            environment.growth[growth.dim.name] = _growth(growth, environment)
        except Refused:
            environment.broken.add(growth.dim.name)


def _growth(growth: ast.Growth, environment: Environment) -> int | str:
    name = growth.dim.name
    dim = environment.dims.get(name)
    environment.used.add(name)
    if dim is None:
        raise environment.unknown(name, growth.dim.span, "dim", environment.dims)
    related = (Related(dim.span, "declared here"),)
    if name in environment.growth:
        raise environment.refuse("HET202", f"the growth of `{name}` is given twice", growth.span)
    if dim.size is not None or dim.derived:
        kind = "a constant" if dim.size is not None else "derived from others"
        message = f"`{name}` cannot grow: it is {kind}"
        raise environment.refuse("HET202", message, growth.dim.span, related=related)
    if isinstance(growth.by, ast.Name):
        by = environment.dims.get(growth.by.name)
        if by is not None and by.size is None:
            environment.used.add(by.name)
            if by.per not in (None, dim.per) or by.name == name:
                message = f"`{name}` cannot grow by `{by.name}`"
                alike = f", or one per {dim.per} as `{name}` is" if dim.per is not None else ""
                help = f"expected a constant or a plain run-time dim{alike}"
                raise environment.refuse("HET202", message, growth.by.span, help=help)
            return by.name
    rows = evaluate_integer(growth.by, environment, f"the growth of `{name}`", low=1)
    if dim.bound is not None and rows > dim.bound:
        message = f"a step appends {rows} rows along `{name}`, more than its bound of {dim.bound}"
        raise environment.refuse("HET202", message, growth.span, related=related)
    return rows
