"""Read which environment variables modules of an app need while they are imported; nothing of them runs.

Only code that runs in any case counts: a name that is missed is asked for by the next receipt, a false one misleads.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from builder.source.modules import reachable

_KINDS = {
    "os.environ": "mapping", "environs.Env": "env", "environs.env": "reader", "decouple.config": "reader",
    "starlette.config.Config": "config", "pydantic_settings.BaseSettings": "settings",
}  # fmt: skip
_PARSERS = frozenset({"str", "int", "bool", "float", "decimal", "list", "dict", "json", "url", "uuid", "path"})
_PLAIN_SETTINGS = frozenset({"env_prefix", "extra", "case_sensitive", "env_file", "env_file_encoding", "frozen"})
_MOST_BYTES = 100_000
_MOST_NAMED = 50
_LONGEST = 255


def required_variables(root: Path, entries: Iterable[Path], environment: Iterable[str]) -> list[str]:
    """Return the variables that modules need while they are imported and that nothing sets, each once.

    Args:
        root: the app's folder.
        entries: modules that are imported.
        environment: names that are set.
    """
    trees: dict[Path, ast.Module] = {}
    for entry in entries:
        if entry not in trees:
            trees.update((path, tree) for path, tree in reachable(root, entry) if isinstance(tree, ast.Module))
    given = {*environment, *_in_files(root)}
    for tree in trees.values():
        given.update(_set_by(tree))
    upper = {name.upper() for name in given}
    found = dict.fromkeys(name for tree in trees.values() for name in required(tree) if name.upper() not in upper)
    return list(found)[:_MOST_NAMED]


def is_plain_model(root: Path, entries: Iterable[Path], name: str) -> bool:
    """Return whether a class of the app is certainly a model of data, whose fields are no settings.

    Args:
        root: the app's folder.
        entries: modules that are imported.
        name: the class's.
    """
    trees = (tree for entry in entries for _, tree in reachable(root, entry) if isinstance(tree, ast.Module))
    bases = [
        [_dotted(base) for base in node.bases]
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name == name
    ]
    return bool(bases) and all(one in (["BaseModel"], ["pydantic.BaseModel"]) for one in bases)


def required(tree: ast.Module) -> Iterator[str]:
    """Yield the variables that one module reads in any case, without a default.

    Args:
        tree: the module's.
    """
    known: dict[str, tuple[str, str]] = {}  # dotted name -> what it is, and the prefix of its variables
    fields: dict[str, list[str]] = {}
    for statement in tree.body:
        _learn_import(statement, known)
        if isinstance(statement, ast.ClassDef) and any(_kind(base, known) == "settings" for base in statement.bases):
            fields[statement.name] = _fields(statement)
        for node in _evaluated(statement):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.args and not node.keywords:
                yield from fields.get(node.func.id, ())
            if name := _read(node, known):
                yield name
        if isinstance(statement, ast.Assign):
            _learn_assignment(statement, known)


def _learn_import(statement: ast.stmt, known: dict[str, tuple[str, str]]) -> None:
    if isinstance(statement, ast.Import):
        pairs = [(one.name, one.asname or one.name) for one in statement.names]
    elif isinstance(statement, ast.ImportFrom) and not statement.level:
        pairs = [(f"{statement.module}.{one.name}", one.asname or one.name) for one in statement.names]
    else:
        return
    for full, name in pairs:
        for dotted, kind in _KINDS.items():
            if dotted == full or dotted.startswith(f"{full}."):
                known[name + dotted[len(full) :]] = kind, ""


def _learn_assignment(statement: ast.Assign, known: dict[str, tuple[str, str]]) -> None:
    value, prefix = statement.value, ""
    kind = _kind(value.func, known) if isinstance(value, ast.Call) else None
    if isinstance(value, ast.Call) and value.keywords:
        prefix = _text(value.keywords[0].value) or ""
        if len(value.keywords) > 1 or value.keywords[0].arg not in ("prefix", "env_prefix"):
            kind = None
    for target in statement.targets:
        if isinstance(target, ast.Name):
            known.pop(target.id, None)
            if kind in ("env", "config"):
                known[target.id] = "reader", prefix


def _dotted(node: ast.AST) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute) and len(parts) < len(_KINDS):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _kind(node: ast.AST, known: Mapping[str, tuple[str, str]]) -> str | None:
    return known.get(_dotted(node), (None, ""))[0]


def _text(node: ast.AST) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _read(node: ast.AST, known: Mapping[str, tuple[str, str]]) -> str | None:
    """Return the variable that an expression reads without a default."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and _kind(node.value, known) == "mapping":
        return _name("", node.slice)
    if not isinstance(node, ast.Call) or len(node.args) != 1 or any(one.arg != "cast" for one in node.keywords):
        return None
    reader = node.func
    if isinstance(reader, ast.Attribute) and reader.attr in _PARSERS:
        reader = reader.value
    kind, prefix = known.get(_dotted(reader), (None, ""))
    return _name(prefix, node.args[0]) if kind == "reader" else None


def _name(prefix: str, node: ast.AST) -> str | None:
    name = f"{prefix}{_text(node) or ''}"
    return name if _text(node) and len(name) <= _LONGEST and name.isascii() and name.isidentifier() else None


def _fields(settings: ast.ClassDef) -> list[str]:
    """Return the variables of a class's fields that have no default; none where it reads them in its own way."""
    prefix, names = "", []
    for one in settings.body:
        if isinstance(one, ast.FunctionDef | ast.ClassDef):
            return []
        if isinstance(one, ast.Assign) and any(_dotted(target) == "model_config" for target in one.targets):
            if not isinstance(one.value, ast.Call) or any(key.arg not in _PLAIN_SETTINGS for key in one.value.keywords):
                return []
            prefix = next((_text(key.value) or "" for key in one.value.keywords if key.arg == "env_prefix"), "")
        if isinstance(one, ast.AnnAssign) and one.value is None and isinstance(one.target, ast.Name):
            kind = one.annotation.value if isinstance(one.annotation, ast.Subscript) else one.annotation
            if _dotted(kind).rpartition(".")[2] not in ("ClassVar", "Annotated", "") and one.target.id[0] != "_":
                names.append(one.target.id)
    found = (_name(prefix, ast.Constant(name)) for name in names)
    return [name.upper() for name in found if name]


def _evaluated(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the expressions that a statement evaluates in any case."""
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, ast.IfExp | ast.If | ast.While):
            todo.append(node.test)
        elif isinstance(node, ast.BoolOp):
            todo.append(node.values[0])
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            todo += [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
        elif isinstance(node, ast.AnnAssign):
            todo += filter(None, [node.value])
        elif not isinstance(
            node, ast.Lambda | ast.Try | ast.For | ast.With | ast.Match | ast.TryStar
            | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp,
        ):  # fmt: skip
            todo += reversed(list(ast.iter_child_nodes(node)))


def _set_by(tree: ast.Module) -> Iterator[str]:
    """Yield names that a module may set itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            yield _text(node.slice) or ""
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("setdefault", "putenv") and node.args:
                yield _text(node.args[0]) or ""
            elif node.func.attr == "update":
                yield from (key.arg or "" for key in node.keywords)
                keys = [key for one in node.args if isinstance(one, ast.Dict) for key in one.keys if key]
                yield from (_text(key) or "" for key in keys)


def _in_files(root: Path) -> Iterator[str]:
    for path in (*root.glob(".env*"), *root.glob("*.env"), root / "settings.ini"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= _MOST_BYTES:
            for line in path.read_text("utf-8", "replace").splitlines():
                yield line.partition("=")[0].strip().removeprefix("export ").strip()
