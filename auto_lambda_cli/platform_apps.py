"""Apps of the platform team that are dropped like any other: where they are, and what they answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import boto3

    from auto_lambda.keys import App
    from auto_lambda_cli.target import Target

_SERVER_ERROR = 500
_SECONDS = 35.0  # API Gateway gives up after 29


class NoStatus(Exception):
    """An app does not tell; the message says what it answers instead. ``passing``: it may tell later."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


def url_of(app: App, target: Target) -> str | None:
    """Return the URL of a live app, None if it is not live."""
    from auto_lambda import drops
    from auto_lambda.aws.urls import callable_url

    _, receipt = drops.latest(target.store(), target.bucket, app)
    serving = receipt and (receipt.serving or receipt)
    return callable_url(serving.url, target.endpoint) if serving and serving.url else None


def ask(url: str, path: str, who: str, session: boto3.Session, endpoint: str | None = None) -> Any:
    """Ask an app for JSON, with a signature.

    Args:
        url: of its API's stage.
        path: below it.
        who: the app, as messages call it.
        session: signs the request.
        endpoint: of an emulator, which answers for names of apps that no DNS knows; None on AWS.

    Raises:
        NoStatus: it answers something else, or nothing.
        NoCredentialsError, NoRegionError: the request cannot be signed.
    """
    import urllib3

    target = f"{url.rstrip('/')}/{path}"
    http = urllib3.PoolManager(retries=False, timeout=_SECONDS)
    try:
        where, headers = _by_endpoint(target, _signed(target, session), endpoint)
        answer = http.request("GET", where, headers=headers)
    except urllib3.exceptions.HTTPError as error:
        raise NoStatus(f"the {who} does not answer: {error}", passing=True) from None
    if answer.status != 200:
        told = f"the {who} answers {answer.status}: {answer.data.decode(errors='replace')[:300]}"
        raise NoStatus(told, passing=answer.status >= _SERVER_ERROR)
    try:
        return json.loads(answer.data)
    except ValueError:
        raise NoStatus(f"the {who} does not answer with JSON") from None


def _by_endpoint(url: str, headers: dict[str, str], endpoint: str | None) -> tuple[str, dict[str, str]]:
    """Return where to send a request, and its headers: on an emulator, the header names the host."""
    parts = urlsplit(url)
    if endpoint is None or parts.netloc == urlsplit(endpoint).netloc:
        return url, headers
    return f"{endpoint.rstrip('/')}{parts.path}", {**headers, "Host": parts.netloc}


def _signed(url: str, session: boto3.Session) -> dict[str, str]:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.exceptions import NoCredentialsError, NoRegionError

    credentials = session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    if session.region_name is None:
        raise NoRegionError
    request = AWSRequest("GET", url)
    SigV4Auth(credentials.get_frozen_credentials(), "execute-api", session.region_name).add_auth(request)
    return dict(request.headers.items())
