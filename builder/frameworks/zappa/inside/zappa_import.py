"""Import zappa without the libraries by which it makes calls, which take twice as long to import as all the rest."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

LATER = {
    "argcomplete": (),
    "boto3": ("Session",),
    "botocore.client": (),
    "botocore.session": (),
    "requests": (),
    "setuptools": ("find_packages",),
}
"""The libraries, with what zappa takes from each when it is imported."""


class ImportedLater(ModuleType):
    """Stands for a module, for zappa alone, until something of it is asked for."""

    def promise(self, names: tuple[str, ...]) -> None:
        """Offer functions of these names that import the module when they are called."""
        vars(self)["__path__"] = []  # or to look for one of them would be to ask for something else
        vars(self).update({name: self._function(name) for name in names})

    def keep(self, names: tuple[str, ...]) -> None:
        """Offer nothing of the module's own any more, so that whatever is asked for is the real one."""
        for name in ("__path__", *names):
            vars(self).pop(name, None)

    def __getattr__(self, name: str) -> Any:
        """Return what the module itself has."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)

    def _function(self, name: str) -> Any:
        return lambda *given, **named: self.__getattr__(name)(*given, **named)


def import_zappa(*, hooks: bool) -> Any:
    """Import zappa's command line.

    Args:
        hooks: whether code of the app's own will run in this process, and may ask for anything in any way.
    """
    names = [] if hooks else [name for name in LATER if importlib.util.find_spec(name)]
    later = {name: ImportedLater(name) for name in names}
    for name, module in later.items():
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
        module.promise(LATER[name])
    from zappa import cli

    for name, module in later.items():
        module.keep(LATER[name])
    return cli
