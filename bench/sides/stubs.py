"""Empty stand-ins for what another project imports, and what it is asked for here does not use."""

import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class Unused:
    """Stands for a class that is imported, or made, and not asked for anything."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass


def stub_missing(modules: Mapping[str, Sequence[str]]) -> None:
    """Make each of these modules importable, with these classes, unless it already is."""
    for name, attributes in modules.items():
        try:
            importlib.import_module(name)
        except (ImportError, OSError):  # OSError: it lacks a library
            module = _empty(name)
            for attribute in attributes:
                setattr(module, attribute, Unused)


def _empty(name: str) -> ModuleType:
    """A module of that name and, if they are not there, the packages that it stands in."""
    if name in sys.modules:
        return sys.modules[name]
    module = sys.modules[name] = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None, is_package=True)  # others look whether it is there
    module.__path__ = []
    package, _, last = name.rpartition(".")
    if package:
        setattr(_empty(package), last, module)
    return module
