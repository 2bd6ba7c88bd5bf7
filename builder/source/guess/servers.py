"""Find apps of frameworks that only their own server can run, to say so in a hint."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.source.guess.places import imported, place
from builder.source.guess.settings import app_modules
from builder.source.modules import parse

_SOCKETS = "It keeps a connection and a session for each user, which no function of Lambda can: run it on a server."
_OWN_SERVER = (
    "Functions are called as WSGI or ASGI say, one request at a time: move its routes to Starlette, Quart or Flask, "
    "or write what it does as a handler, and name that in auto-lambda.toml, as in [functions.api] handler = "
    '"module.function".'
)


@dataclass(frozen=True, slots=True)
class Server:
    """A framework with a server of its own.

    Attributes:
        name: of the framework.
        places: what an app of it uses, by the place in its package.
        hint: what its author can do.
    """

    name: str
    places: tuple[str, ...]
    hint: str


_SERVERS = (
    Server("aiohttp", ("aiohttp.web.Application", "aiohttp.web.run_app"), _OWN_SERVER),
    Server("Tornado", ("tornado.web.Application", "tornado.web.RequestHandler"), _OWN_SERVER),
    Server("Twisted", ("twisted.web.server.Site", "klein.Klein", "twisted.internet.reactor.run"), _OWN_SERVER),
    Server("Robyn", ("robyn.Robyn",), _OWN_SERVER),
    Server("websockets", ("websockets.serve", "websockets.asyncio.server.serve"), _SOCKETS),
    Server(
        "Python's http.server",
        ("http.server.HTTPServer", "http.server.ThreadingHTTPServer", "socketserver.TCPServer"),
        _OWN_SERVER,
    ),
    Server("gRPC", ("grpc.server", "grpc.aio.server"), _OWN_SERVER),
    Server("Gradio", ("gradio.Blocks", "gradio.Interface", "gradio.ChatInterface", "gradio.TabbedInterface"), _SOCKETS),
    Server("NiceGUI", ("nicegui.ui.run",), _SOCKETS),
    Server("Shiny", ("shiny.App",), _SOCKETS),
    Server("Flet", ("flet.app", "flet.run"), _SOCKETS),
    Server("Panel", ("panel.serve",), _SOCKETS),
    Server("Bokeh", ("bokeh.server.server.Server", "bokeh.plotting.curdoc"), _SOCKETS),
    Server("Reflex", ("reflex.App",), _SOCKETS),
    Server("Chainlit", ("chainlit.on_message", "chainlit.on_chat_start"), _SOCKETS),
)
_BY_PLACE: Mapping[str, Server] = {place: one for one in _SERVERS for place in one.places}
_SCRIPTS = {"streamlit": "Streamlit", "mesop": "Mesop", "marimo": "marimo"}
"""Packages whose apps are scripts that a server of theirs runs: whatever imports them is one."""


@dataclass(frozen=True, slots=True)
class ServerApp:
    """Why an app is none that Lambda could call, and what to do."""

    message: str
    hint: str


def server_app(top: Path) -> ServerApp | None:
    """Return what is known of such an app, None if there is none."""
    for path in app_modules(top):
        tree = parse(path)
        found = _found(tree) if tree else None
        if found:
            name, hint = found
            return ServerApp(
                f"{path.relative_to(top)} is an app of {name}, which only a server of its own can run", hint
            )
    return None


def server_of(made: str) -> Server | None:
    """Return the framework that makes an app, by the place of its class, None if it is none of these."""
    return _BY_PLACE.get(made)


def _found(tree: ast.Module) -> tuple[str, str] | None:
    names = dict(imported(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call | ast.Attribute | ast.Name) and (found := _BY_PLACE.get(place(node, names))):
            return found.name, found.hint
    for name in names.values():
        if script := _SCRIPTS.get(name.partition(".")[0]):
            return script, _SOCKETS
    return None
