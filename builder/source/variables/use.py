"""Find which environment variables an app's modules need while they are imported, and which they read in vain.

Nothing of them runs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from builder.source.modules import absolute_name, module_of, reachable
from builder.source.variables.readers import Reader, Reading, dotted, read_module, text, variables_at

_MOST_BYTES = 100_000
_MOST_NAMED = 50
_DEEPEST = 30  # modules that import names of one another


class VariableUse:
    """How the modules of an app use environment variables.

    Args:
        root: the app's folder.
        entries: modules that are imported.
    """

    def __init__(self, root: Path, entries: Iterable[Path]) -> None:
        self._root = root
        self._trees: dict[Path, ast.Module] = {}
        for entry in entries:
            if entry not in self._trees:
                self._trees.update(
                    (path, tree) for path, tree in reachable(root, entry) if isinstance(tree, ast.Module)
                )
        self._readings: dict[Path, Reading] = {}
        self._open: list[Path] = []

    def required(self, environment: Iterable[str]) -> list[str]:
        """Return the variables that are needed and that nothing sets, each once.

        Args:
            environment: names that are set.
        """
        given = {*environment, *_in_files(self._root)}
        for tree in self._trees.values():
            given.update(_set_by(tree))
        upper = {name.upper() for name in given}
        names = (name for path in self._trees for name in self._reading(path).required)
        return list(dict.fromkeys(name for name in names if name.upper() not in upper))[:_MOST_NAMED]

    @property
    def aliases(self) -> Mapping[str, str]:
        """Under which name variables are kept that are read without a default."""
        return {name: variable for path in self._trees for name, variable in self._reading(path).aliases.items()}

    def read_at(self, path: Path, line: int) -> list[str]:
        """Return the variables without a default that a statement uses."""
        tree = self._trees.get(path)
        return variables_at(tree, line, self._reading(path), self.aliases) if tree else []

    def is_plain_model(self, name: str) -> bool:
        """Return whether a class of the app is certainly a model of data, whose fields are no settings."""
        bases = [
            [dotted(base) for base in node.bases]
            for tree in self._trees.values()
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef) and node.name == name
        ]
        return bool(bases) and all(one in (["BaseModel"], ["pydantic.BaseModel"]) for one in bases)

    def _reading(self, path: Path) -> Reading:
        if path not in self._readings:
            self._open.append(path)
            self._readings[path] = read_module(self._trees[path], lambda one: self._imported(path, one))
            self._open.pop()
        return self._readings[path]

    def _imported(self, path: Path, statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, Reader]]:
        if isinstance(statement, ast.Import):
            for one in statement.names:
                readers = self._readers(one.name)
                yield from ((f"{one.asname or one.name}.{name}", reader) for name, reader in readers.items())
            return
        base = absolute_name(self._root, path, statement)
        readers = self._readers(base) if base else {}
        for one in statement.names:
            if one.name == "*":
                yield from readers.items()
            elif one.name in readers:
                yield one.asname or one.name, readers[one.name]
            elif base:
                inside = self._readers(f"{base}.{one.name}")
                yield from ((f"{one.asname or one.name}.{name}", reader) for name, reader in inside.items())

    def _readers(self, name: str) -> Mapping[str, Reader]:
        path = module_of(self._root, name)
        if path not in self._trees or path in self._open or len(self._open) >= _DEEPEST:
            return {}
        return self._reading(path).readers


def _set_by(tree: ast.Module) -> Iterator[str]:
    """Yield names that a module may set itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            yield text(node.slice) or ""
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("setdefault", "putenv") and node.args:
                yield text(node.args[0]) or ""
            elif node.func.attr == "update":
                yield from (key.arg or "" for key in node.keywords)
                keys = [key for one in node.args if isinstance(one, ast.Dict) for key in one.keys if key]
                yield from (text(key) or "" for key in keys)


def _in_files(root: Path) -> Iterator[str]:
    for path in (*root.glob(".env*"), *root.glob("*.env"), root / "settings.ini"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= _MOST_BYTES:
            for line in path.read_text("utf-8", "replace").splitlines():
                yield line.partition("=")[0].strip().removeprefix("export ").strip()
