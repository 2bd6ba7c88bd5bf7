"""The app's own secret parameters, read when they are needed and again once they may have changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

_SECONDS = 60.0


class Secrets:
    """Secret parameters below a path.

    Args:
        client: a boto3 client of SSM.
        path: of the app's own parameters.
        clock: monotonic seconds.
    """

    def __init__(self, client: Any, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._path = path
        self._clock = clock
        self._read = float("-inf")
        self._values: dict[str, str] = {}

    def get(self, name: str) -> str | None:
        """Return a secret, None if there is none. A new value counts within a minute."""
        if self._clock() - self._read > _SECONDS:
            pages = self._client.get_paginator("get_parameters_by_path").paginate(
                Path=self._path, Recursive=True, WithDecryption=True
            )
            found = [one for page in pages for one in page["Parameters"]]
            self._values = {one["Name"].removeprefix(self._path).strip("/"): one["Value"] for one in found}
            self._read = self._clock()
        return self._values.get(name)
