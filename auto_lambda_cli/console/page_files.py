"""The files of the page, as they are in its folder. Nothing else is ever sent as HTML or as a script."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from starlette.requests import Request
from starlette.responses import Response

from auto_lambda_cli.console.answers import refuse
from auto_lambda_cli.console.problems import Problem

PAGE = Path(__file__).with_name("page")
INDEX = "index.html"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}


class PageFiles:
    """Serves the files that a folder holds when it starts.

    Args:
        folder: of the page.
    """

    def __init__(self, folder: Path = PAGE) -> None:
        found = (path for path in folder.rglob("*") if path.suffix in _TYPES and path.is_file())
        # By name, so that no path of a request ever becomes one of a file.
        self._files = {str(PurePosixPath(path.relative_to(folder))): path for path in found}

    async def get(self, request: Request) -> Response:
        """Answer with a file."""
        path = self._files.get(request.path_params["path"] or INDEX)
        if path is None:
            return refuse(Problem("no-such-page", "the console has no such page"))
        return Response(path.read_bytes(), media_type=_TYPES[path.suffix])
