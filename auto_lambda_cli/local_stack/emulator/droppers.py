"""Lets events of objects say who made them: the user of this machine. The emulator would name an example."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from typing import Any


def patch() -> None:
    """Name the user, as S3 names whoever has signed the request."""
    from ministack.services import s3  # type: ignore[import-not-found,unused-ignore]

    s3._fire_s3_event = naming(s3._fire_s3_event, local_user())


def local_user() -> str:
    """Return the name of whoever runs this process; their number if they have none, as in some containers."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def naming(fire: Callable[..., None], user: str) -> Callable[..., None]:
    """Complete the record of each event."""

    def named(*given: Any, record_extra: dict[str, Any] | None = None, **more: Any) -> None:
        fire(*given, record_extra={"userIdentity": {"principalId": user}, **(record_extra or {})}, **more)

    return named
