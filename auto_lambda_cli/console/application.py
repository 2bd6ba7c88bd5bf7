"""The console as an ASGI application: which path is answered by what."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auto_lambda_cli.console.access import AsgiApp, ConsoleAddress, ConsoleGuard
from auto_lambda_cli.console.answers import refuse
from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.console.page_files import PageFiles
from auto_lambda_cli.console.problems import Problem
from auto_lambda_cli.console.requests import Answering, reads
from auto_lambda_cli.console.routes import about, apps

_APP = "/api/apps/{stage}/{name}"
_READS: dict[str, Answering] = {
    "/api/about": about.about,
    "/api/identity": about.identity,
    "/api/help/errors/{code}": about.help_on_error,
    "/api/apps": apps.apps,
    _APP: apps.app,
    f"{_APP}/releases": apps.releases,
    f"{_APP}/configuration": apps.configuration,
}


def make_app(context: ConsoleContext, address: ConsoleAddress) -> AsgiApp:
    """Make the console of a pipeline."""
    routes = [
        *(Route(path, reads(context, answering), methods=["GET"]) for path, answering in _READS.items()),
        Route("/{path:path}", PageFiles().get, methods=["GET"]),
    ]
    console = Starlette(routes=routes, exception_handlers={HTTPException: _nothing})
    return ConsoleGuard(console, address)  # type: ignore[arg-type]


async def _nothing(_request: Request, _error: Exception) -> Response:
    """Answer a request that no route takes, or not with this method."""
    return refuse(Problem("no-such-page", "the console has no such page"))
