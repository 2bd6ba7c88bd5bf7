"""Read modules of an app as syntax trees, within bounds; nothing of them runs."""

from __future__ import annotations

import ast
import codecs
import io
import os
import re
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path

_DOTTED = re.compile(r"\w+(\.\w+)*")
_LONGEST_NAME = 200
_NOT_ON_LAMBDA = ("setup.py", "conftest.py")
_MOST_FILES = 2000
_MOST_BYTES = 1_000_000
_SLOW = ("punycode", "idna")  # no source is written in host names' encodings; 600 KB of punycode take 20 seconds
# CPython's parser joins a dotted name anew for each of its parts, and keeps them all: 120 KB of them take 4 GB.
_LONG_CHAIN = re.compile(r"(?:\.[\s\\]*+[^\s.\\]++[\s\\]*+){200}")


def modules(root: Path) -> Iterator[Path]:
    """Yield plain, not too large modules of the app, without those of virtual environments, tests and builds."""
    count = 0
    for place, folders, names in os.walk(root):
        here = Path(place)
        folders[:] = sorted(one for one in folders if one not in ("tests", "node_modules") and not _is_venv(here / one))
        for name in sorted(one for one in names if one.endswith(".py") and one not in _NOT_ON_LAMBDA):
            path = here / name
            if count < _MOST_FILES and not path.is_symlink() and path.is_file() and path.stat().st_size <= _MOST_BYTES:
                count += 1
                yield path


def parse(path: Path) -> ast.Module | None:
    """Return the tree of a module, None if this Python cannot parse it."""
    try:
        return parse_strictly(path)
    except SyntaxError:
        return None


def parse_strictly(path: Path) -> ast.Module | None:
    """Return the tree of a module, None if it is too deep, has too long a dotted name or is no text.

    Raises:
        SyntaxError: this Python cannot parse it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source = _decoded(path.read_bytes())
            return None if has_long_name(source) else ast.parse(source)
    except (LookupError, ValueError, RecursionError, MemoryError):
        return None


def has_long_name(source: str) -> bool:
    """Return whether a source has a dotted name so long that it takes the parser too much memory."""
    return _LONG_CHAIN.search(source) is not None


def _decoded(source: bytes) -> str:
    """Decode a source as Python would.

    Raises:
        SyntaxError: it is not written in the encoding that it names, or nobody knows that.
        LookupError: the encoding is none of text, or one whose decoder takes time by the square of the text.
    """
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    if codecs.lookup(encoding).name in _SLOW:
        raise LookupError(encoding)
    try:
        return source.decode(encoding)
    except UnicodeError as error:
        raise SyntaxError(str(error)) from None


def is_dotted(name: str) -> bool:
    """Return whether a text may be the dotted name of a module."""
    return len(name) <= _LONGEST_NAME and _DOTTED.fullmatch(name) is not None


def module_of(root: Path, dotted: str) -> Path | None:
    """Return the file of a module of the app by its dotted name."""
    if not is_dotted(dotted):
        return None
    path = root.joinpath(*dotted.split("."))
    for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
        if file.is_file() and not file.is_symlink():
            return file
    return None


def reachable(root: Path, entry: Path) -> Iterator[tuple[Path, ast.Module | SyntaxError]]:
    """Yield the app's own modules that are certainly imported with one of them, that one first.

    Args:
        root: the app's folder.
        entry: the module.
    """
    todo, seen = [entry], {entry}
    while todo and len(seen) < _MOST_FILES:
        path = todo.pop(0)
        found = _parsed(path)
        if found is None:
            continue
        yield path, found
        if isinstance(found, ast.Module):
            new = [one for one in _imports(root, path, found) if one not in seen]
            seen.update(new)
            todo += dict.fromkeys(new)


def _parsed(path: Path) -> ast.Module | SyntaxError | None:
    try:
        return parse_strictly(path) if path.stat().st_size <= _MOST_BYTES else None
    except SyntaxError as error:
        return error


def _imports(root: Path, path: Path, tree: ast.Module) -> Iterator[Path]:
    """Yield the app's own modules that a module imports in any case."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = absolute_name(root, path, node)
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)] if base is not None else []
        else:
            continue
        for name in names:
            parts = name.strip(".").split(".")
            yield from filter(None, (module_of(root, ".".join(parts[: end + 1])) for end in range(len(parts))))


def absolute_name(root: Path, path: Path, node: ast.ImportFrom) -> str | None:
    """Return the dotted name of the module that names are imported from."""
    if not node.level:
        return node.module
    package = path.parent.relative_to(root).parts
    if node.level - 1 > len(package):
        return None
    return ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])


def binds(tree: ast.Module, name: str) -> bool:
    """Return whether a module has a name, as far as its code shows.

    What is done by other means counts as yes, and so does code that may end before it comes to the name: that is then
    what is to be told.
    """
    return name in _bound(tree) or any(_may_bind_anything(node) for node in ast.walk(tree)) or _may_end(tree)


def _may_end(tree: ast.Module) -> bool:
    """Return whether what runs at import is more than definitions: a call, a loop, a raise."""
    todo: list[ast.AST] = list(tree.body)
    while todo:
        match todo.pop():
            case ast.Expr(value=ast.Constant()) | ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
                continue
            case ast.If() | ast.Try() | ast.ExceptHandler() as block:
                todo += [part for part in ast.iter_child_nodes(block) if isinstance(part, ast.stmt | ast.ExceptHandler)]
            case ast.Expr() | ast.Raise() | ast.While() | ast.For() | ast.With() | ast.Assert() | ast.Delete():
                return True
    return False


def _bound(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in at_import(tree, classes=False):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            found.add(node.name)
    return found


def _may_bind_anything(node: ast.AST) -> bool:
    if isinstance(node, ast.alias):
        return node.name == "*"
    if isinstance(node, ast.Global):
        return True
    names = ("globals", "exec", "vars", "locals", "setattr", "modules", "__getattr__")
    return getattr(node, "id", getattr(node, "attr", getattr(node, "name", None))) in names


def at_import(tree: ast.Module, *, classes: bool = True) -> Iterator[ast.AST]:
    """Yield the nodes whose code runs when the module is imported: none in a function's body.

    Args:
        tree: of the module.
        classes: with those in the bodies of classes.
    """
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            todo += [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
        elif not isinstance(node, ast.Lambda) and (classes or not isinstance(node, ast.ClassDef)):
            todo += reversed(list(ast.iter_child_nodes(node)))


def _is_venv(folder: Path) -> bool:
    return (folder / "pyvenv.cfg").is_file() or folder.name == "site-packages"
