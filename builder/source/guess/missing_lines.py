"""Find modules that lack one line to be a WSGI application, and the line: of Bottle, CherryPy, web.py and Dash."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from builder.source.guess.default_app import default_app
from builder.source.guess.places import imported, place


@dataclass(frozen=True, slots=True)
class MissingLine:
    """A line that a module lacks.

    Attributes:
        why: what the module does, after its name.
        text: the line.
        instead: number of the line that it replaces, since that starts a server when it is imported; None for none.
    """

    why: str
    text: str
    instead: int | None = None


def missing_line(tree: ast.Module) -> MissingLine | None:
    """Return the line that makes a module an application, None if none does."""
    if found := default_app(tree):
        why = "adds routes to Bottle's default app, which it keeps by no name"
        return MissingLine(why, "import bottle; app = bottle.default_app()", found.run)
    names = dict(imported(tree))
    return next(_of_calls(tree, names), None)


def hug_api(tree: ast.Module) -> bool:
    """Return whether a module is an API of hug's, which keeps its application by a name of its own."""
    names = dict(imported(tree))
    decorators = (by for node in tree.body if isinstance(node, ast.FunctionDef) for by in node.decorator_list)
    return any(place(by, names).startswith("hug.") for by in decorators)


def _of_calls(tree: ast.Module, names: Mapping[str, str]) -> Iterator[MissingLine]:
    at_top = {id(node.value): node.lineno for node in tree.body if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and place(node, names) == "cherrypy.quickstart":
            text = f"import cherrypy; app = cherrypy.Application({ast.unparse(node.args[0])})"
            yield MissingLine("starts CherryPy's own server, and keeps its app by no name", text, at_top.get(id(node)))
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call):
                made = place(call, names)
                if made == "web.application":
                    yield MissingLine("makes an app of web.py's, and no WSGI app of it", f"wsgi = {name}.wsgifunc()")
                elif made in ("dash.Dash", "dash.dash.Dash"):
                    yield MissingLine("makes an app of Dash's, and does not name its server", f"server = {name}.server")
