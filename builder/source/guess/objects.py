"""Find the web application that a module defines, by reading its code: which name, made by which framework."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from builder.source.modules import module_of, parse

Kind = Literal["wsgi", "asgi"]

_WSGI = ("flask.Flask", "flask.app.Flask", "apiflask.APIFlask", "flask_openapi3.OpenAPI", "bottle.Bottle", "bottle.app",
         "bottle.default_app", "falcon.App", "falcon.API", "webapp2.WSGIApplication", "cherrypy.Application",
         "pyramid.config.Configurator.make_wsgi_app", "web.application.wsgifunc", "dash.Dash.server",
         "eve.Eve")  # fmt: skip
_ASGI = ("fastapi.FastAPI", "fastapi.applications.FastAPI", "starlette.applications.Starlette", "quart.Quart",
         "quart.app.Quart", "litestar.Litestar", "litestar.app.Litestar", "starlite.Starlite", "blacksheep.Application",
         "blacksheep.server.Application", "falcon.asgi.App", "sanic.Sanic", "esmerald.Esmerald", "ravyn.Ravyn",
         "fasthtml.FastHTML", "fasthtml.common.FastHTML", "fasthtml.common.fast_app", "responder.API",
         "lilya.apps.Lilya", "muffin.Application", "connexion.AsyncApp")  # fmt: skip
MADE_BY: Mapping[str, Kind] = {**dict.fromkeys(_WSGI, "wsgi"), **dict.fromkeys(_ASGI, "asgi")}
"""What makes an application, by its place in the framework's package."""

_LAST_CALLS = ("make_wsgi_app", "wsgifunc")  # methods that no other package has
_SIGNATURES: Mapping[tuple[str, ...], Kind] = {
    ("environ", "start_response"): "wsgi",
    ("scope", "receive", "send"): "asgi",
}
_PASTE = (("global_config",), ("global_conf",))  # and the app's own settings by name
_MOST_LOOKS = 20_000  # at expressions
_DEEPEST = 5  # a function that calls another that makes the application, and so on


@dataclass(frozen=True, slots=True)
class AppObject:
    """An application at the top level of a module.

    Attributes:
        path: of the module.
        name: of the object.
        kind: how it is called.
        maker: what made it: a framework's class, or the file and name of a function of the app.
        plain: it is a function or an instance that no known framework made.
    """

    path: Path
    name: str
    kind: Kind
    maker: str
    plain: bool = False


@dataclass(frozen=True, slots=True)
class _Made:
    kind: Kind
    maker: str


class AppCode:
    """The modules of an app, each parsed once.

    Args:
        top: no module above it belongs to the app.
    """

    def __init__(self, top: Path) -> None:
        self._top = top
        self._parsed: dict[Path, ast.Module | None] = {}
        self.looks_left = _MOST_LOOKS

    def tree(self, path: Path) -> ast.Module | None:
        """Return a module's tree, None if it cannot be parsed."""
        if path not in self._parsed:
            self._parsed[path] = parse(path)
        return self._parsed[path]

    def module(self, path: Path, dotted: str) -> Path | None:
        """Return the file of a module of the app that another one imports."""
        folders = [folder for folder in path.parents if folder.is_relative_to(self._top)]
        return next((found for folder in folders if (found := module_of(folder, dotted))), None)

    def objects(self, path: Path) -> list[AppObject]:
        """Return the applications that a module makes, without those that only another of them uses."""
        tree = self.tree(path)
        if tree is None:
            return []
        scope = _Scope(self, path, tree)
        made: dict[str, AppObject] = {}
        for statement in statements(tree.body):
            for name, value in _assigned(statement):
                if name in made and isinstance(value, ast.Call):
                    continue  # wrapped by a middleware
                if found := scope.made(value):
                    made[name] = AppObject(path, name, found.kind, found.maker)
        used = _used(tree, made)
        return [one for name, one in made.items() if name not in used] or list(_plain(path, tree))

    def is_helper(self, one: AppObject, paths: Iterable[Path]) -> bool:
        """Return whether nothing is registered with an application in its module, nor is it imported by another."""
        tree = self.tree(one.path)
        if tree is None or ":" in one.maker or one.plain or _is_used(tree, one.name):
            return False
        return not any(self._imports(path, one) for path in paths)

    def _imports(self, path: Path, one: AppObject) -> bool:
        tree = self.tree(path)
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.ImportFrom) and {alias.name for alias in node.names} & {one.name, "*"}:
                module = node.module or ""
                found = relative(path, node.level, module) if node.level else self.module(path, module)
                if found == one.path:
                    return True
        return False

    def factories(self, path: Path) -> list[str]:
        """Return calls of a module's functions that make an application: without arguments, or as Paste does."""
        tree = self.tree(path)
        if tree is None:
            return []
        scope = _Scope(self, path, tree)
        functions = [one for one in tree.body if isinstance(one, ast.FunctionDef)]
        makers = [one for one in functions if scope.returned(one, 0)]
        return [f"{one.name}()" for one in makers if not _needs_arguments(one)] + [
            f"{one.name}({{}})" for one in makers if _parameters(one) in _PASTE
        ]


class _Scope:
    """The names of one module."""

    def __init__(self, code: AppCode, path: Path, tree: ast.Module) -> None:
        self._code = code
        self._path = path
        self._imported = dict(_imported(tree))
        self._stars = [node.module for node in tree.body if isinstance(node, ast.ImportFrom) and node.module
                       and any(one.name == "*" for one in node.names)]  # fmt: skip
        self._own = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        self._values = {name: value for one in statements(tree.body) for name, value in _assigned(one)}

    def made(self, value: ast.expr, depth: int = 0) -> _Made | None:
        """Return what an expression makes, None if it is no application."""
        self._code.looks_left -= 1
        if depth > _DEEPEST or self._code.looks_left < 0:
            return None
        if isinstance(value, ast.Attribute):  # the server of a Dash application
            inner = self._values.get(value.value.id) if isinstance(value.value, ast.Name) else None
            name = self._full_name(inner.func) if isinstance(inner, ast.Call) else ""
            return _known(f"{name}.{value.attr}")
        if not isinstance(value, ast.Call):
            return None
        if isinstance(value.func, ast.Attribute) and value.func.attr in _LAST_CALLS:
            return _Made("wsgi", value.func.attr)
        if found := self._known_call(value.func):
            return found
        return self._own_call(value.func, depth)

    def returned(self, function: ast.FunctionDef, depth: int) -> _Made | None:
        """Return what a function makes and returns."""
        local = {name: value for one in statements(function.body) for name, value in reversed(list(_assigned(one)))}
        for node in ast.walk(function):
            if isinstance(node, ast.Return) and node.value is not None:
                value = local.get(node.value.id) if isinstance(node.value, ast.Name) else node.value
                if value is not None and (found := self.made(value, depth + 1)):
                    return found
        return None

    def called(self, name: str, depth: int) -> _Made | None:
        """Return what a call of one of the module's own functions or classes makes."""
        node = self._own.get(name)
        if isinstance(node, ast.FunctionDef):
            found = self.returned(node, depth)
            return _Made(found.kind, f"{self._path}:{name}") if found else None
        if isinstance(node, ast.ClassDef):
            return next((found for base in node.bases if (found := self._known_call(base))), None)
        if name in self._imported:
            return self._imported_call(name, "", depth + 1)
        return None

    def _known_call(self, func: ast.expr) -> _Made | None:
        name = self._full_name(func)
        candidates = [name, *(f"{module}.{name}" for module in self._stars)]
        return next((found for one in candidates if (found := _known(one))), None)

    def _own_call(self, func: ast.expr, depth: int) -> _Made | None:
        if isinstance(func, ast.Name) and func.id in self._own:
            return self.called(func.id, depth)
        base, _, rest = _dotted(func).partition(".")
        return self._imported_call(base, rest, depth) if base in self._imported else None

    def _imported_call(self, base: str, rest: str, depth: int) -> _Made | None:
        if depth > _DEEPEST:
            return None
        level, module, attribute = self._imported[base]
        full = ".".join(filter(None, [module, attribute, rest]))
        module, _, name = full.rpartition(".")
        path = relative(self._path, level, module) if level else self._code.module(self._path, module)
        tree = self._code.tree(path) if path else None
        return _Scope(self._code, path, tree).called(name, depth + 1) if path and tree else None

    def _full_name(self, func: ast.expr) -> str:
        base, _, rest = _dotted(func).partition(".")
        if base not in self._imported:
            return ".".join(filter(None, [base, rest]))
        level, module, attribute = self._imported[base]
        return "" if level else ".".join(filter(None, [module, attribute, rest]))


def relative(path: Path, level: int, module: str) -> Path | None:
    """Return the file of a module that another one imports relative to itself."""
    if level > len(path.parents):
        return None
    folder = path.parents[level - 1]
    return module_of(folder, module) if module else module_of(folder.parent, folder.name)


def _is_used(tree: ast.Module, name: str) -> bool:
    """Return whether a module calls methods of an object, hands it on, or makes it with a list of what it serves."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            given = [*node.args, *(one.value for one in node.keywords)]
            if any(isinstance(one, ast.Name) and one.id == name for one in [*given, getattr(node.func, "value", None)]):
                return True
    values = [value for one in statements(tree.body) for target, value in _assigned(one) if target == name]
    return any(isinstance(one, ast.Call) and any(isinstance(arg, ast.List | ast.Tuple) for arg in
               [*one.args, *(word.value for word in one.keywords)]) for one in values)  # fmt: skip


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run when a body does, without those for a module that is run as a script."""
    for node in body:
        if isinstance(node, ast.If):
            if "__main__" not in ast.dump(node.test):
                yield from statements([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from statements([*node.body, *node.orelse, *node.finalbody])
        elif isinstance(node, ast.With):
            yield from statements(node.body)
        else:
            yield node


def _assigned(node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        yield node.target.id, node.value
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            first = target.elts[0] if isinstance(target, ast.Tuple) and target.elts else target
            if isinstance(first, ast.Name):
                yield first.id, node.value


def _imported(tree: ast.Module) -> Iterator[tuple[str, tuple[int, str, str]]]:
    """Yield imported names with the level, the module and the attribute that they stand for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                yield name, (0, alias.name if alias.asname else name, "")
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, (node.level, node.module or "", alias.name)


def _dotted(node: ast.expr) -> str:
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) else ""


def _known(name: str) -> _Made | None:
    return _Made(MADE_BY[name], name) if name in MADE_BY else None


def _used(tree: ast.Module, made: Mapping[str, AppObject]) -> set[str]:
    """Return the applications that are arguments of another one's methods, as in ``app.mount("/admin", admin)``."""
    used: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _dotted(node.func.value) in made:
            owner = _dotted(node.func.value)
            names = {one.id for part in [*node.args, *node.keywords] for one in ast.walk(part)
                     if isinstance(one, ast.Name)}  # fmt: skip
            used |= names & made.keys() - {owner}
    return used


def _plain(path: Path, tree: ast.Module) -> Iterator[AppObject]:
    """Yield functions and instances that are called as WSGI or ASGI says."""
    callable_classes = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (kind := _SIGNATURES.get(_parameters(node))):
            yield AppObject(path, node.name, kind, f"{path}:{node.name}", plain=True)
        if isinstance(node, ast.ClassDef):
            calls = [one for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
            kinds = [_SIGNATURES.get(_parameters(one)[1:]) for one in calls if one.name == "__call__"]
            callable_classes[node.name] = next(iter(kinds), None)
    for statement in statements(tree.body):
        for name, value in _assigned(statement):
            maker = _dotted(value.func) if isinstance(value, ast.Call) else ""
            if kind := callable_classes.get(maker):
                yield AppObject(path, name, kind, f"{path}:{maker}", plain=True)


def _parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[str, ...]:
    return tuple(one.arg for one in [*node.args.posonlyargs, *node.args.args])


def _needs_arguments(node: ast.FunctionDef) -> bool:
    given = len(node.args.defaults)
    return len(_parameters(node)) > given or any(one is None for one in node.args.kw_defaults)
