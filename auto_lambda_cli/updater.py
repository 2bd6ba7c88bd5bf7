"""The ECS updater seen from outside: its status as lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from auto_lambda_cli.aligned import aligned
from auto_lambda_cli.platform_apps import NoStatus as NoStatus
from auto_lambda_cli.platform_apps import ask

if TYPE_CHECKING:
    import boto3

_ROW = ("service", "tasks", "runs", "wanted", "why")


def ask_status(url: str, session: boto3.Session, endpoint: str | None = None) -> Any:
    """Ask an updater for its status.

    Args:
        url: of its API's stage.
        session: signs the request.
        endpoint: of an emulator, None on AWS.

    Raises:
        NoStatus: it answers something else, or nothing.
        NoCredentialsError, NoRegionError: the request cannot be signed.
    """
    return ask(url, "status", "updater", session, endpoint)


def status_lines(told: Mapping[str, Any]) -> list[str]:
    """Return a heading and a line for each service, aligned; nothing if there is no service."""
    return aligned(_ROW, [*map(_cells, told["services"])])


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    tasks = f"{row['running']}/{row['desired']}"
    changed = [image for image in row["wanted"] if image not in row["images"]]
    why = "; ".join(one for one in (row["why"], row["scaling"]) if one)
    nothing_said = "not known" if row["why"] else "-"
    wanted = (" ".join(changed) or "the same") if row["wanted"] else nothing_said
    return row["service"], tasks, " ".join(row["images"]), wanted, why
