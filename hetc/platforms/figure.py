"""Figures: numbers that know where they came from, and the base of all platform models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


class Figure(float):
    """A number with its `source`; in arithmetic a plain float. Written `{ value = 1.0, source = "..." }`."""

    source: str

    def __new__(cls, value: float, source: str) -> Figure:
        figure = super().__new__(cls, value)
        figure.source = source
        return figure

    def __reduce__(self) -> tuple[type[Figure], tuple[float, str]]:
        return (type(self), (float(self), self.source))

    def __repr__(self) -> str:
        return f"Figure({float(self)!r}, {self.source!r})"

    def __str__(self) -> str:
        return repr(float(self))

    @classmethod
    def parse(cls, data: object) -> Figure:
        """From a TOML value. A bare number is refused: every figure says where it came from."""
        if isinstance(data, Figure):
            return data
        wanted = 'expected a figure such as { value = 1.5, source = "data sheet" }'
        if not isinstance(data, dict):
            raise PydanticCustomError("figure", f"{wanted}; found {data!r}, which has no source")
        value, source = data.get("value"), data.get("source")
        # A TOML integer has no limit: past 1e300 it is a slip, and may not even convert to a float.
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e300:
            raise PydanticCustomError("figure", f"{wanted}; `value` is not a number of zero or more")
        if not isinstance(source, str) or not source.strip():
            raise PydanticCustomError("figure", f"{wanted}; `source` is missing or empty")
        if set(data) - {"value", "source"}:
            raise PydanticCustomError("figure", f"{wanted}; found the keys {', '.join(map(str, data))}")
        return cls(value, source)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda figure: {"value": float(figure), "source": figure.source}
            ),
        )


def _positive(figure: Figure) -> Figure:
    if figure <= 0:
        raise PydanticCustomError("figure", "expected a figure above zero; found 0")
    return figure


# Of a rate or a count that estimates divide by.
PositiveFigure = Annotated[Figure, AfterValidator(_positive)]


class Model(BaseModel):
    """Frozen; an unknown key is an error, so that a misspelt figure is not silently ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def figures(self, path: str = "") -> Iterator[tuple[str, Figure]]:
        """Every figure under this model with its dotted key path, in file order."""
        for name in type(self).model_fields:
            yield from _walk(getattr(self, name), f"{path}.{name}" if path else name)


def _walk(value: object, path: str) -> Iterator[tuple[str, Figure]]:
    if isinstance(value, Figure):
        yield path, value
    elif isinstance(value, Model):
        yield from value.figures(path)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _walk(item, f"{path}.{key}")
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _walk(item, f"{path}[{index}]")


def spread_sources(data: object) -> object:
    """Gives each bare number in a table the `source` that stands in the same table.

    `{source = "data sheet", lut = 3, ff = 4}` becomes two figures, so that one source need not be written
    beside each of ten numbers. A table with a `value` is a figure already; nested tables need their own.
    """
    if isinstance(data, list):
        return [spread_sources(item) for item in data]
    if not isinstance(data, dict):
        return data
    if "value" in data:
        return data
    source = data.get("source")
    spread: dict[str, object] = {}
    for key, item in data.items():
        if key == "source" and isinstance(item, str):
            continue
        is_number = isinstance(item, int | float) and not isinstance(item, bool)
        if is_number and isinstance(source, str):
            spread[key] = {"value": item, "source": source}
        else:
            spread[key] = spread_sources(item)
    return spread
