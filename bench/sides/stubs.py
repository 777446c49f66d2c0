"""Empty stand-ins for what another project imports, and what it is asked for here does not use."""

import importlib
import sys
from collections.abc import Mapping, Sequence
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
        except ImportError:
            for part in (name.partition(".")[0], name):
                sys.modules.setdefault(part, ModuleType(part))
            for attribute in attributes:
                setattr(sys.modules[name], attribute, Unused)
