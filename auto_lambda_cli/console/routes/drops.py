"""Drops: a zip goes on to S3 as it comes in, a folder is zipped as ``auto-lambda deploy`` does it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter, from_thread, to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from auto_lambda import drops
from auto_lambda.daemon.memory import trim_memory
from auto_lambda_cli.console.answers import answer, refuse
from auto_lambda_cli.console.bodies import BodyReader, save_files
from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.console.problems import Problem, problem_of
from auto_lambda_cli.console.requests import Endpoint, PageRequest
from auto_lambda_cli.console.views import drop_json
from auto_lambda_cli.packing import CannotPack, zip_folder

_AT_ONCE = 3  # each takes some memory, and a part of a zip on the disk
_PIECE = 65_536  # bytes
_LEFT = 32_000_000  # bytes of a refused body that are read, so that the browser gets to see why
Dropping = Callable[[ConsoleContext, PageRequest, BodyReader, int], Any]
"""Drops what a body of so many bytes holds; runs in a thread."""


class Drops:
    """Takes uploads, a few at a time.

    Args:
        context: the pipeline.
    """

    def __init__(self, context: ConsoleContext) -> None:
        self._context = context
        self._limiter: CapacityLimiter | None = None

    def endpoint(self, dropping: Dropping) -> Endpoint:
        """Make an endpoint for one kind of upload."""

        async def endpoint(request: Request) -> Response:
            self._limiter = self._limiter or CapacityLimiter(_AT_ONCE)
            asked = PageRequest({}, dict(request.query_params))
            stream = request.stream()

            async def following() -> bytes:
                async for chunk in stream:
                    if chunk:
                        return chunk
                return b""

            def run() -> Any:
                length = _length(request)
                body = BodyReader(lambda: from_thread.run(following), length)
                return dropping(self._context, asked, body, length)

            try:
                return answer(await to_thread.run_sync(run, limiter=self._limiter), 201)
            except ClientDisconnect:
                return refuse(Problem("bad-request", "the upload ended early"))
            except Exception as error:  # noqa: BLE001 - the page shows whatever it is
                problem = problem_of(error)
                self._context.noticed(problem)
                await _read_on(following)
                return refuse(problem)
            finally:
                trim_memory()

        return endpoint


def _length(request: Request) -> int:
    given = request.headers.get("content-length", "")
    if not (given.isascii() and given.isdecimal()):
        raise Problem("bad-request", "an upload has to say how long it is")
    return int(given)


async def _read_on(following: Any) -> None:
    left = _LEFT
    try:
        while left > 0 and (chunk := await following()):
            left -= len(chunk)
    except (ClientDisconnect, RuntimeError):  # it has gone, or was read to its end
        return


def drop_zip(context: ConsoleContext, asked: PageRequest, body: BodyReader, length: int) -> Any:
    """Drop a zip. Nothing reaches the bucket unless all of it has come in."""
    app = asked.app
    if length > context.limits.zip_bytes:
        raise Problem("too-large", f"the zip has {length:,} bytes; {context.limits.zip_bytes:,} are the most")
    if not body.begins_like_a_zip():
        raise Problem("bad-zip", "that is not a zip", "Drop a .zip file, or the app's folder.")
    return {"drop": drop_json(drops.drop_stream(context.services.store, context.target.bucket, app, body))}


def drop_folder(context: ConsoleContext, asked: PageRequest, body: BodyReader, _: int) -> Any:
    """Drop the files of a folder."""
    app, limits = asked.app, context.limits
    with tempfile.TemporaryDirectory(prefix="auto-lambda-") as work:
        folder, zip_path = Path(work, "folder"), Path(work, "app.zip")
        folder.mkdir()
        if not save_files(body, folder, limits.folder_files, limits.folder_bytes):
            raise Problem("cannot-pack", "the folder is empty")
        try:
            selection = zip_folder(folder, zip_path)
        except CannotPack as error:
            told = str(error).replace(f"{folder}", "the folder")
            raise Problem("cannot-pack", told) from None
        with zip_path.open("rb") as file:
            packed = BodyReader(partial(file.read, _PIECE), zip_path.stat().st_size)
            dropped = drops.drop_stream(context.services.store, context.target.bucket, app, packed)
    return {"drop": drop_json(dropped, selection)}
