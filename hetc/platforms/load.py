"""Finds and reads platform files."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from hetc.devices import UnknownKind, device_kind, resolve
from hetc.diagnostics import EXIT_USAGE, Diagnostic, DiagnosticError, suggest
from hetc.platforms.device import Device, Processor
from hetc.platforms.figure import spread_sources
from hetc.platforms.files import (
    DEFAULT_PLATFORM,
    device_file,
    list_devices,
    list_platforms,
    platform_file,
    platform_files,
)
from hetc.platforms.here import AUTO, platform_here
from hetc.platforms.platform import Platform
from hetc.source import SourceFile, read_source


def load_platform(name_or_path: str | Path = DEFAULT_PLATFORM) -> Platform:
    """A platform by name, or from a TOML file: whatever ends in `.toml` or holds a `/` is a path. Device names joined
    by `+` are a platform of those, without direct links; `auto` is that of this machine.

    Raises DiagnosticError (exit 2): no such platform or file, several of that name, no TOML, or a wrong, missing or
    unknown key, each named by its path in the file.
    """
    name = str(name_or_path)
    if isinstance(name_or_path, Path) or name.endswith(".toml") or "/" in name:
        return _read(Path(name_or_path))
    if name == AUTO:
        return load_platform(platform_here())
    if name in list_platforms():
        return _included(name)
    if all(part in list_devices() for part in name.split("+")):
        return _of_devices(name.split("+"))
    guess = suggest(name, list_platforms())
    valid = "valid platforms: " + ", ".join(list_platforms())
    help = (
        f"did you mean `{guess}`?"
        if guess
        else "or give the path of a platform file, or install the package that brings it"
    )
    _fail(Diagnostic("error", "HET420", f"no platform is called `{name}`", notes=(valid,), help=help))


def load_device(name: str) -> Device:
    """A device by the name of its file. Raises DiagnosticError."""
    return _device(read_source(device_file(name)), name, name)


def all_platforms() -> Iterator[tuple[str, Platform]]:
    """Every platform file that is known, with who brings it: `hetc` or a device kind; the default first."""
    for name in list_platforms():
        for owner, path in platform_files()[name].items():
            yield owner, _read(path)


def _of_devices(names: list[str]) -> Platform:
    """A platform of these devices, each called by its kind."""
    devices = {device.kind: device for device in map(load_device, names)}
    return Platform(name="+".join(names), title=" and ".join(item.title for item in devices.values()), devices=devices)


@cache
def _included(name: str) -> Platform:
    """One that is known by its name, as each pass that needs it asks for it."""
    return _read(platform_file(name))


def _read(path: Path) -> Platform:
    source = read_source(path)
    data = _parse_toml(source)
    data.setdefault("name", path.stem)
    devices = data.get("devices")
    if isinstance(devices, dict):
        data["devices"] = {key: _device(source, key, value) for key, value in devices.items()}
    platform = _validate(Platform, spread_sources(data), source, "")
    assert isinstance(platform, Platform)
    _check_peer_links(platform, source)
    return platform


def _device(source: SourceFile, key: str, value: object) -> Device:
    """A device from its entry: a name, or a table that describes one or changes the figures of its `base`."""
    where = f"devices.{key}"
    if isinstance(value, str):
        value = {"base": value}
    if not isinstance(value, dict):
        _refuse(source, where, f"expected a device's name or a table; found {value!r}")
    data = spread_sources(dict(value))
    assert isinstance(data, dict)
    base = data.pop("base", None)
    if base is not None:
        if base not in list_devices():
            guess = suggest(str(base), list_devices())
            valid = "known devices: " + ", ".join(list_devices())
            help = f"did you mean `{guess}`?" if guess else None
            _refuse(source, where, f"no device is called `{base}`", notes=(valid,), help=help)
        base_source = read_source(device_file(base))
        base_data = spread_sources(_parse_toml(base_source))
        assert isinstance(base_data, dict)
        data = _merge(base_data, data)
    data.setdefault("name", key)
    device = _validate(_model(data.get("kind")), data, source, where)
    assert isinstance(device, Device)
    return device


def _model(kind: object) -> type[Device]:
    """The model of a kind. One that is not installed is described as a processor: memory, clock, peaks."""
    try:
        model = resolve(device_kind(kind).model) if isinstance(kind, str) else Processor
    except UnknownKind:
        return Processor
    assert isinstance(model, type) and issubclass(model, Device)
    return model


def _merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with `changes` laid over it, table by table; a figure is replaced whole, with its source."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and "value" not in value:
            merged[key] = _merge(old, value)
        else:
            merged[key] = value
    return merged


def _parse_toml(source: SourceFile) -> dict[str, Any]:
    try:
        return tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        message, place = str(error), re.search(r" \(at line (\d+), column (\d+)\)$", str(error))
        if place:
            start = source.offset_of(int(place[1]), int(place[2]))
            message, span = message[: place.start()], source.span(start)
        else:
            span = source.span(len(source.text), len(source.text))
        _fail(Diagnostic("error", "HET421", f"not valid TOML: {message[:1].lower()}{message[1:]}", span))
    except RecursionError:
        _fail(Diagnostic("error", "HET421", f"`{source.name}`: tables or arrays are nested too deeply"))


def _validate(model: type[Any], data: object, source: SourceFile, where: str) -> object:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = []
        for item in error.errors(include_url=False):
            path = where
            for part in item["loc"]:
                path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
            message, help = item["msg"].removeprefix("Value error, "), None
            if item["type"] == "missing":
                message = "this key is missing"
            elif item["type"] == "extra_forbidden":
                message = "unknown key"
                guess = suggest(str(item["loc"][-1]), model.model_fields)
                help = f"did you mean `{guess}`?" if guess else None
            elif item["type"] == "string_pattern_mismatch":
                message = f"expected text of the form {item['ctx']['pattern']}; found {item['input']!r}"
            found.append(_wrong_key(source, path, message, help=help))
        _fail(*found)


def _check_peer_links(platform: Platform, source: SourceFile) -> None:
    for index, peer in enumerate(platform.peer_links):
        for end in ("from_device", "to_device"):
            name = getattr(peer, end)
            if name not in platform.devices:
                valid = "devices of this platform: " + ", ".join(platform.devices)
                _refuse(source, f"peer_links[{index}].{end}", f"no device is called `{name}`", notes=(valid,))


def _wrong_key(
    source: SourceFile, path: str, message: str, *, notes: tuple[str, ...] = (), help: str | None = None
) -> Diagnostic:
    return Diagnostic("error", "HET422", f"{source.name}: {path}: {message}", notes=notes, help=help)


def _refuse(
    source: SourceFile, path: str, message: str, *, notes: tuple[str, ...] = (), help: str | None = None
) -> NoReturn:
    _fail(_wrong_key(source, path, message, notes=notes, help=help))


def _fail(*diagnostics: Diagnostic) -> NoReturn:
    raise DiagnosticError(diagnostics, EXIT_USAGE) from None
