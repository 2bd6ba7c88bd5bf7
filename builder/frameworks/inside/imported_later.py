"""Lets a framework be imported without the libraries by which it makes calls, which take longer than all the rest.

A plain script for the compiler's tool environment: frameworks' own scripts import it.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any


class ImportedLater(ModuleType):
    """Stands for a module until something of it is asked for."""

    def promise(self, names: tuple[str, ...]) -> None:
        """Offer functions of these names that import the module when they are called."""
        vars(self)["__path__"] = []  # or to look for one of them would be to ask for something else
        vars(self).update({name: self._function(name) for name in names})

    def keep(self, names: tuple[str, ...]) -> None:
        """Offer nothing of the module's own any more, so that whatever is asked for is the real one."""
        for name in ("__path__", *names):
            vars(self).pop(name, None)

    def step_aside(self) -> None:
        """Let whoever imports the module from now on get itself."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]

    def __getattr__(self, name: str) -> Any:
        """Return what the module itself has."""
        self.step_aside()
        return getattr(importlib.import_module(self.__name__), name)

    def _function(self, name: str) -> Any:
        return lambda *given, **named: self.__getattr__(name)(*given, **named)


@contextlib.contextmanager
def imported_later(promises: Mapping[str, tuple[str, ...]]) -> Iterator[None]:
    """Whatever is imported meanwhile gets stand-ins; whoever imports one of the libraries afterwards gets itself.

    Args:
        promises: the libraries, with the functions that are taken from each meanwhile. What a library is part of
            stands before it, or is there.
    """
    later = {name: ImportedLater(name) for name in promises}
    for name, module in later.items():
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(importlib.import_module(parent), child, module)
        module.promise(promises[name])
    yield
    for name, module in later.items():
        module.keep(promises[name])
        module.step_aside()
