"""The whole log of a deployment, as a file: streamed, never whole in memory."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from auto_lambda import drops, keys
from auto_lambda.aws.s3 import Head, ObjectMissing
from auto_lambda_cli.console.answers import refuse
from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.console.problems import Problem, problem_of
from auto_lambda_cli.console.requests import Endpoint, PageRequest

_PART = 1_000_000  # bytes


def log_file(context: ConsoleContext) -> Endpoint:
    """Make the endpoint."""

    async def endpoint(request: Request) -> Response:
        try:
            app = PageRequest(request.path_params).app
            head = await run_in_threadpool(_head, context, app)
        except ObjectMissing:
            return refuse(Problem("no-such-page", "there is no log: no worker has received a zip of it yet"))
        except Exception as error:  # noqa: BLE001 - the page shows whatever it is
            problem = problem_of(error)
            context.noticed(problem)
            return refuse(problem)
        headers = {
            "content-disposition": f'attachment; filename="{app.name}-{app.stage}.log"',
            "content-length": str(head.size),
        }
        return StreamingResponse(_parts(context, head), headers=headers, media_type="text/plain; charset=utf-8")

    return endpoint


def _head(context: ConsoleContext, app: keys.App) -> Head:
    store, bucket = context.services.store, context.target.bucket
    key, _ = drops.latest(store, bucket, app)
    return store.head(bucket, keys.log_key(key))


def _parts(context: ConsoleContext, head: Head) -> Iterator[bytes]:
    store, bucket = context.services.store, context.target.bucket
    for first in range(0, head.size, _PART):
        yield store.get_part(bucket, head.key, first, min(_PART, head.size - first))
