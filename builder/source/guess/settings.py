"""Guess the settings of an app without any, as ``zappa init`` would: by its code, which is read and never run."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from auto_lambda.errors import AppError, Code
from builder.source.documents import join_names
from builder.source.guess.missing_lines import MissingLine, hug_api, missing_line
from builder.source.guess.objects import AppCode, AppObject
from builder.source.modules import module_of, modules
from builder.source.settings import ZAPPA_FILES

STAGE = "dev"
FILE = ZAPPA_FILES[0]
_BEST_FIRST = ("wsgi", "asgi", "application", "app", "main", "server", "api", "run", "manage")
_NOT_THE_APP = frozenset(
    {"test", "testing", "docs", "doc", "examples", "example", "samples", "migrations", "build", "dist"}
)
_MANIFESTS = ("requirements.txt", "pyproject.toml", "Pipfile", "setup.py")
_DJANGO_FILES = ("wsgi.py", "asgi.py", "manage.py")
_DJANGO = "DJANGO_SETTINGS_MODULE"
_MOST_BYTES = 5_000_000


@dataclass(frozen=True, slots=True)
class Guess:
    """Settings for the app in a folder.

    Attributes:
        root: the folder.
        values: of the only stage.
    """

    root: Path
    values: Mapping[str, str]

    @property
    def text(self) -> str:
        """The settings file, in one line."""
        return json.dumps({STAGE: dict(self.values)})


def guess(tree: Path, top: Path, *, fixed: bool = False) -> Guess | None:
    """Guess the settings of the app in a folder or below it, None if there is no sign of one.

    Args:
        tree: the unpacked zip.
        top: the folder in it where apps are looked for; if that is the zip's only one, it may be a package.
        fixed: the app's own folder is that one, none below it.

    Raises:
        AppError: ``ambiguous-framework``: several apps are possible, with the settings for each; ``no-framework``:
            there is only a function that makes one.
    """
    code = AppCode(tree)
    paths = list(app_modules(top))
    ceiling = top if fixed or len(list(tree.iterdir())) > 1 else tree
    found = list(_django(code, paths, ceiling, fixed=fixed))
    objects = _distinct([one for path in paths for one in code.objects(path)])
    if len(objects) > 1:
        objects = [one for one in objects if not code.is_helper(one, paths)] or objects
    places = ((_root(code, one.path, top, ceiling, fixed=fixed), one) for one in objects)
    found += [Guess(root, _values(root, one)) for root, one in places if root]
    if len(found) > 1:
        raise _ambiguous(found, tree)
    if found:
        return found[0]
    factories = [(path, call) for path in paths for call in code.factories(path)]
    for path, call in factories[:1]:
        raise _only_factory(path, call, tree, _root(code, path, top, ceiling, fixed=fixed) or top)
    for path in paths:
        if parsed := code.tree(path):
            if line := missing_line(parsed):
                raise _lacks(path.relative_to(tree), line)
            if hug_api(parsed):
                raise _of_hug(path, tree, _root(code, path, top, ceiling, fixed=fixed) or top)
    return None


def app_modules(top: Path) -> Iterator[Path]:
    """Yield the modules that may be the app: no tests, examples and documentation."""
    left = _MOST_BYTES
    for path in modules(top):
        inner = path.relative_to(top).parts
        left -= path.stat().st_size
        if left < 0:
            return
        if not _NOT_THE_APP.intersection(inner) and not path.name.startswith("test_") and inner[0][:1] != ".":
            yield path


def _distinct(found: list[AppObject]) -> list[AppObject]:
    """Keep the best place of an app that one function makes in several; plain ones only if there is nothing else."""
    found = [one for one in found if not one.plain] or found
    by_maker: dict[str, AppObject] = {}
    others = []
    for one in sorted(found, key=lambda one: _rank(one.path)):
        if ":" in one.maker:
            by_maker.setdefault(one.maker, one)
        else:
            others.append(one)
    return [*by_maker.values(), *others]


def _rank(path: Path) -> tuple[int, int, str]:
    best = _BEST_FIRST.index(path.stem) if path.stem in _BEST_FIRST else len(_BEST_FIRST)
    return best, len(path.parts), str(path)


def _values(root: Path, found: AppObject) -> Mapping[str, str]:
    values = {"app_function": f"{_dotted(root, found.path)}.{found.name}"}
    return values if found.kind == "wsgi" else {**values, "app_type": "asgi"}


def _dotted(root: Path, path: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _root(code: AppCode, path: Path, top: Path, ceiling: Path, *, fixed: bool) -> Path | None:
    """Return the folder from which a module is imported: where most of what it imports is, a manifest, or the top."""
    folder = path.parent
    while (folder / "__init__.py").is_file() and folder != ceiling:
        folder = folder.parent
    folders = [one for one in (folder, *folder.parents) if one.is_relative_to(ceiling)]
    bases = [top] if fixed else [one for one in folders if _dotted(one, path)]
    bases = [one for one in bases if all(part.isidentifier() for part in _dotted(one, path).split("."))]
    tree = code.tree(path)
    names = imported_tops(tree) if tree else set()

    def fit(base: Path) -> tuple[int, bool, bool, int]:
        manifest = any((base / one).is_file() for one in _MANIFESTS)
        imported = sum(_is_there(base, name) for name in names)
        return imported, manifest, base.is_relative_to(top), -len(base.parts)

    return max(bases, key=fit, default=None)


def imported_tops(tree: ast.Module) -> set[str]:
    """Return the first parts of the names of all modules that a module imports."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module.partition(".")[0])
    return names


def _is_there(base: Path, name: str) -> bool:
    return (base / name).is_dir() or module_of(base, name) is not None


def _django(code: AppCode, paths: Iterable[Path], top: Path, *, fixed: bool) -> Iterator[Guess]:
    """Yield a guess for each Django project: what its ``wsgi.py`` names counts more than what ``manage.py`` does."""
    seen: set[Path] = set()
    for path in sorted(paths, key=lambda path: _DJANGO_FILES.index(path.name) if path.name in _DJANGO_FILES else 9):
        tree = code.tree(path) if path.name in _DJANGO_FILES else None
        if tree is None or not (module := _django_settings(tree)):
            continue
        bases = [top] if fixed else [one for one in path.parents if one.is_relative_to(top)]
        root = next((base for base in bases if module_of(base, module)), None)
        if root and root not in seen:
            seen.add(root)
            yield Guess(root, {"django_settings": module})


def _django_settings(tree: ast.Module) -> str | None:
    """Return the settings module that a file names, as in ``os.environ.setdefault("DJANGO_SETTINGS_MODULE", "x")``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and [_text(one) for one in node.args[:1]] == [_DJANGO] and len(node.args) > 1:
            return _text(node.args[1])
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(target, ast.Subscript) and _text(target.slice) == _DJANGO:
            return _text(node.value)  # type: ignore[attr-defined]
    return None


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _ambiguous(found: list[Guess], tree: Path) -> AppError:
    places = [f"{one.text} as {shown(one.root, tree)}{FILE}" for one in found]
    return AppError(
        Code.AMBIGUOUS_FRAMEWORK,
        f"there are no settings, and more than one app: {join_names(_names(found))}",
        hint=f"Save the settings of the one that is meant, any of: {'; '.join(places[:10])}",
    )


def _names(found: Iterable[Guess]) -> Iterator[str]:
    return (next(iter(one.values.values())) for one in found)


def _lacks(path: Path, line: MissingLine) -> AppError:
    where = f"in place of line {line.instead}" if line.instead else "as its last line"
    return AppError(
        Code.NO_FRAMEWORK, f"{path} {line.why}", hint=f"Write into {path}, {where}: {line.text}",
    )  # fmt: skip


def _of_hug(path: Path, tree: Path, root: Path) -> AppError:
    one = Guess(root, {"app_function": f"{_dotted(root, path)}.__hug_wsgi__"})
    return AppError(
        Code.NO_FRAMEWORK,
        f"{path.relative_to(tree)} is an API of hug's, whose app has a name that only hug makes",
        hint=f"Save the settings: {one.text} as {shown(root, tree)}{FILE}",
    )


def _only_factory(path: Path, call: str, tree: Path, root: Path) -> AppError:
    module, name = _dotted(root, path), call.partition("(")[0]
    return AppError(
        Code.NO_FRAMEWORK,
        f"{path.relative_to(tree)} defines {name}, which makes an app, but no module calls it and keeps the app",
        hint=f"Add {shown(root, tree)}wsgi.py with two lines: from {module} import {name}; app = {call}",
    )


def shown(folder: Path, tree: Path) -> str:
    """Return a folder's path inside the zip, ``""`` or ending in a slash."""
    inner = folder.relative_to(tree).as_posix()
    return "" if inner == "." else f"{inner}/"
