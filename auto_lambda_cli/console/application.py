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
from auto_lambda_cli.console.requests import Answering, changes, reads
from auto_lambda_cli.console.routes import about, apps, fleet, letters
from auto_lambda_cli.console.routes import changes as changing
from auto_lambda_cli.console.routes.drops import Drops, drop_folder, drop_zip
from auto_lambda_cli.console.routes.log_file import log_file
from auto_lambda_cli.console.streams import Streams
from auto_lambda_cli.console.watching.app import AppWatch
from auto_lambda_cli.console.watching.fleet import FleetWatch
from auto_lambda_cli.console.watching.runtime import RuntimeWatch

_APP = "/api/apps/{stage}/{name}"
_READS: dict[str, Answering] = {
    "/api/about": about.about,
    "/api/identity": about.identity,
    "/api/help/errors/{code}": about.help_on_error,
    "/api/apps": apps.apps,
    _APP: apps.app,
    f"{_APP}/releases": apps.releases,
    f"{_APP}/configuration": apps.configuration,
    f"{_APP}/approval": changing.approval,
    "/api/fleet": fleet.fleet,
    "/api/fleet/series": fleet.series,
    "/api/dead-letters": letters.letters,
}
_CHANGES: dict[str, Answering] = {
    f"{_APP}/rollback": changing.rollback,
    f"{_APP}/promote": changing.promote,
    f"{_APP}/approve": changing.approve,
    f"{_APP}/configuration": changing.configure,
    "/api/dead-letters/redrive": letters.redrive,
}
_STREAMS = {
    f"{_APP}/events": AppWatch,
    f"{_APP}/runtime": RuntimeWatch,
    "/api/fleet/events": FleetWatch,
}


def make_app(context: ConsoleContext, address: ConsoleAddress, streams: Streams) -> AsgiApp:
    """Make the console of a pipeline."""
    console = Starlette(routes=make_routes(context, streams), exception_handlers={HTTPException: _nothing})
    return ConsoleGuard(console, address)  # type: ignore[arg-type]


def make_routes(context: ConsoleContext, streams: Streams) -> list[Route]:
    """Return what answers which path; the files of the page come last."""
    drops = Drops(context)
    return [
        *(Route(path, reads(context, answering), methods=["GET"]) for path, answering in _READS.items()),
        *(Route(path, changes(context, answering), methods=["POST"]) for path, answering in _CHANGES.items()),
        *(Route(path, streams.endpoint(watch), methods=["GET"]) for path, watch in _STREAMS.items()),
        Route(f"{_APP}/log", log_file(context), methods=["GET"]),
        Route("/api/drop", drops.endpoint(drop_zip), methods=["POST"]),
        Route("/api/drop/folder", drops.endpoint(drop_folder), methods=["POST"]),
        Route("/{path:path}", PageFiles().get, methods=["GET"]),
    ]


async def _nothing(_request: Request, _error: Exception) -> Response:
    """Answer a request that no route takes, or not with this method."""
    return refuse(Problem("no-such-page", "the console has no such page"))
