"""The ECS updater seen from outside: its status, asked for with a signature, and as lines for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import boto3

_SECONDS = 35.0  # API Gateway gives up after 29
_ROW = ("service", "tasks", "runs", "wanted", "why")


class NoStatus(Exception):
    """The updater does not tell; the message says what it answers instead."""


def ask_status(url: str, session: boto3.Session) -> Any:
    """Ask an updater for its status.

    Args:
        url: of its API's stage.
        session: signs the request.

    Raises:
        NoStatus: it answers something else, or nothing.
        NoCredentialsError, NoRegionError: the request cannot be signed.
    """
    import urllib3

    target = url.rstrip("/") + "/status"
    http = urllib3.PoolManager(retries=False, timeout=_SECONDS)
    try:
        answer = http.request("GET", target, headers=_signed(target, session))
    except urllib3.exceptions.HTTPError as error:
        raise NoStatus(f"the updater does not answer: {error}") from None
    if answer.status != 200:
        raise NoStatus(f"the updater answers {answer.status}: {answer.data.decode(errors='replace')[:300]}")
    return json.loads(answer.data)


def status_lines(told: Mapping[str, Any]) -> list[str]:
    """Return a heading and a line for each service, aligned; nothing if there is no service."""
    if not told["services"]:
        return []
    rows = [_ROW, *map(_cells, told["services"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_ROW) - 1)]
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=False)] for row in rows)
    return ["  ".join([*cells, row[-1]]).rstrip() for cells, row in zip(padded, rows, strict=True)]


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    tasks = f"{row['running']}/{row['desired']}"
    changed = [image for image in row["wanted"] if image not in row["images"]]
    why = "; ".join(one for one in (row["why"], row["scaling"]) if one)
    nothing_said = "not known" if row["why"] else "-"
    wanted = (" ".join(changed) or "the same") if row["wanted"] else nothing_said
    return row["service"], tasks, " ".join(row["images"]), wanted, why


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
