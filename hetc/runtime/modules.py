"""Importing what was generated, from where it lies."""

from __future__ import annotations

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType

from hetc.runtime.errors import ProgramError


class _FromText(SourceFileLoader):
    """Compiles the text at each import: Python's own cache tells files apart by the second of their last change, and
    may give what stood there before an edit."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def import_file(path: Path, kind: str) -> ModuleType:
    """The module in a file. Raises ProgramError where it is missing or cannot be imported."""
    # The name is the path's, so that two work directories in one process keep their modules apart.
    name = f"hetc_{kind}_{str(path.resolve()).encode().hex()}"
    spec = spec_from_loader(name, _FromText(name, str(path)))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        if not path.is_file():
            raise ProgramError(f"{path} does not exist") from error
        raise ProgramError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    return module
