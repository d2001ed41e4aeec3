"""Versions of installed packages, and the ranges that this package's own metadata asks for."""

from __future__ import annotations

import importlib.metadata
import re


def installed_version(distribution: str) -> str | None:
    """The version in a package's metadata; nothing is imported. None where it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def supported_versions(distribution: str) -> str | None:
    """The version range of a dependency in this package's own metadata, e.g. `<3.10,>=3.6`."""
    try:
        requirements = importlib.metadata.requires("hetc") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for requirement in requirements:
        found = re.match(r"([A-Za-z0-9._-]+)\s*([^;]*)", requirement)
        if found and found[1].lower().replace("_", "-") == distribution.lower().replace("_", "-"):
            return found[2].strip() or None
    return None


def release_of(version: str) -> tuple[int, ...]:
    """The numbers of a release, without pre-release and build parts or trailing zeros: 3.10.0rc1 is (3, 10)."""
    found = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(part) for part in found[0].split(".")] if found else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def satisfies(version: str, specifier: str) -> bool:
    """Whether `version` lies in a range such as `>=2.6,<=2.13.0`; other operators are taken as satisfied."""
    ours = release_of(version)
    for operator, bound in re.findall(r"(>=|<=|==|<|>)\s*([0-9][^,\s]*)", specifier):
        theirs = release_of(bound)
        holds = {
            ">=": ours >= theirs,
            "<=": ours <= theirs,
            "==": ours == theirs,
            "<": ours < theirs,
            ">": ours > theirs,
        }
        if not holds[operator]:
            return False
    return True
