"""Read the requirements of setup.cfg and setup.py as data: nothing of them runs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from builder.dependencies.requirement_lines import Requirements, parse, read_text
from builder.source.modules import has_long_name

_SRC = re.compile(r"""package_dir\s{0,9}=\s{0,99}(?:\{\s{0,99}['"]{2}\s{0,9}:\s{0,9}['"]|=\s{0,9})src\b""")
_MAX_BYTES = 64 * 1024  # no project's own is longer


def setup_cfg(path: Path, tree: Path) -> Requirements | None:
    """Read ``[options] install_requires``; None if there is none.

    Raises:
        AppError: ``bad-requirements``, with the line.
    """
    shown = path.relative_to(tree).as_posix()
    found = list(_values(read_text(path, shown)[:_MAX_BYTES]))
    if not found or found[0].startswith("file:"):
        return None
    return parse("\n".join(found), shown, path.parent, tree)


def _values(text: str) -> Iterator[str]:
    """Yield the lines of the value. configparser takes time with the square of a line's spaces."""
    inside = reading = False
    for line in text.splitlines():
        if line.startswith("["):
            inside, reading = line.strip() == "[options]", False
        elif line[:1].isspace():
            if reading:
                yield line.strip()
        else:
            key, _, value = line.partition("=")
            reading = inside and key.strip() == "install_requires"
            if reading:
                yield value.strip()


def setup_py(path: Path, tree: Path) -> Requirements | None:
    """Read ``install_requires`` of the call of ``setup``; None unless it is a plain list, there or under a name.

    Raises:
        AppError: ``bad-requirements``, with the line.
    """
    shown = path.relative_to(tree).as_posix()
    try:
        source = read_text(path, shown)[:_MAX_BYTES]
        if has_long_name(source):
            return None
        module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    names = dict(_assigned(module))
    for call in (node for node in ast.walk(module) if isinstance(node, ast.Call)):
        for keyword in call.keywords:
            if keyword.arg == "install_requires":
                value = keyword.value
                found = names.get(value.id) if isinstance(value, ast.Name) else _literals(value)
                return None if found is None else parse("\n".join(found), shown, path.parent, tree)
    return None


def is_in_src(folder: Path, tree: Path) -> bool:
    """Return whether a setup.cfg or setup.py says that its packages are in ``src``: they are found only once built."""
    packages = folder / "src"
    if not (folder / "setup.py").is_file() and not (folder / "pyproject.toml").is_file():
        return False  # nothing would build it
    if (packages / "__init__.py").is_file() or not any(packages.glob("*/__init__.py")):
        return False
    files = [folder / name for name in ("setup.cfg", "setup.py") if (folder / name).is_file()]
    texts = [read_text(one, one.relative_to(tree).as_posix())[:_MAX_BYTES] for one in files]
    return any(_SRC.search(text) for text in texts)


def _assigned(module: ast.Module) -> Iterator[tuple[str, list[str]]]:
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found = _literals(node.value)
            if found is not None:
                yield node.targets[0].id, found


def _literals(node: ast.expr) -> list[str] | None:
    if not isinstance(node, ast.List | ast.Tuple):
        return None
    texts = [one.value for one in node.elts if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return texts if len(texts) == len(node.elts) else None
