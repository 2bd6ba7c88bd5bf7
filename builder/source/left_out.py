"""Decide which entries of a zip are left out: a virtual environment belongs to the machine that it was made on."""

from __future__ import annotations

from collections.abc import Iterable

_MARKERS = (("pyvenv.cfg",), ("conda-meta", "history"), ("bin", "activate_this.py"))
_PROJECT_SUFFIXES = (".py", ".json", ".toml", ".yml", ".yaml", ".txt")
_INTERPRETERS = ("python", "pip", "activate", "Activate")
_FOLDERS = frozenset({"lib64", "include", "Include", "Scripts", "conda-meta"})


class VirtualEnvironments:
    """The virtual environments among a zip's paths.

    Where someone made one in the project's own folder, only its own files in there belong to it.
    """

    def __init__(self, paths: Iterable[tuple[str, ...]]) -> None:
        paths = set(paths)
        found = {path[: -len(marker)] for path in paths for marker in _MARKERS if path[-len(marker) :] == marker}
        projects = {path[:-1] for path in paths if path[-1].endswith(_PROJECT_SUFFIXES)}
        self._whole = found - projects - {()}
        self._mixed = found - self._whole
        self._left_out: dict[str, None] = {}

    def holds(self, path: tuple[str, ...]) -> bool:
        """Return whether a path belongs to one, and remember which."""
        for depth in range(len(path) + 1):
            folder, rest = path[:depth], path[depth:]
            if folder in self._whole or (folder in self._mixed and _is_part(rest)):
                self._left_out["/".join(folder) or "the root of the zip"] = None
                return True
        return False

    @property
    def warnings(self) -> tuple[str, ...]:
        """One warning for all that was left out."""
        if not self._left_out:
            return ()
        listed = ", ".join(list(self._left_out)[:5])
        return (f"a virtual environment is left out, as its packages are installed from the app's manifest: {listed}",)


def _is_part(rest: tuple[str, ...]) -> bool:
    if not rest:
        return False
    if rest[0] in _FOLDERS or rest == ("pyvenv.cfg",):
        return True
    if len(rest) == 1:
        return False
    return (rest[0] in ("lib", "Lib") and rest[1].startswith(("python", "site-packages"))) or (
        rest[0] == "bin" and rest[1].startswith(_INTERPRETERS)
    )
