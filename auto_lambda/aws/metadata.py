"""The EC2 instance metadata service, version 2 (IMDSv2).

See https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
"""

from __future__ import annotations

import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping

_ADDRESS = "http://169.254.169.254"
_TOKEN_SECONDS = 3600
_NOTICES = {
    "spot/instance-action": "Spot Instance interruption notice",
    "events/recommendations/rebalance": "Spot rebalance recommendation",
}
_STATE = "autoscaling/target-lifecycle-state"
_LEAVING = ("Terminated", "Warmed")


class NoMetadata(Exception):
    """There is no answer: this is no EC2 instance, or its metadata service is off."""


class Metadata:
    """A client of the service on this instance.

    Args:
        environ: ``AWS_EC2_METADATA_SERVICE_ENDPOINT`` and ``AWS_EC2_METADATA_DISABLED``, as for every AWS program.
        timeout: of one request, in seconds.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        *,
        timeout: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", _ADDRESS).rstrip("/")
        self._off = environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true"
        self._timeout = timeout
        self._clock = clock
        self._token = ""
        self._token_until = 0.0

    def instance(self) -> str:
        """Return the instance id; raises `NoMetadata`."""
        if answer := self._get("instance-id"):
            return answer
        raise NoMetadata("there is no instance id")

    def region(self) -> str:
        """Return the region; raises `NoMetadata`."""
        if answer := self._get("placement/region"):
            return answer
        raise NoMetadata("there is no region")

    def notice(self) -> str | None:
        """Return why this instance will be terminated, or None; raises `NoMetadata`."""
        for path, why in _NOTICES.items():
            if self._get(path) is not None:
                return why
        return "the Auto Scaling group terminates the instance" if self.terminating() else None

    def terminating(self) -> bool:
        """Tell whether the Auto Scaling group waits for this instance to be ready to terminate; raises `NoMetadata`."""
        return (self._get(_STATE) or "").startswith(_LEAVING)

    def _get(self, path: str) -> str | None:
        """Read one value; None if there is none."""
        try:
            return self._ask("GET", f"meta-data/{path}", {"X-aws-ec2-metadata-token": self._fresh_token()})
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 401:  # the token has expired early
                    self._token_until = 0.0
                if error.code == 404:
                    return None
            raise NoMetadata(str(error)) from error
        except (OSError, http.client.HTTPException) as error:
            raise NoMetadata(str(error)) from error

    def _fresh_token(self) -> str:
        if self._off:
            raise NoMetadata("switched off")
        if self._clock() >= self._token_until:
            self._token = self._ask("PUT", "api/token", {"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_SECONDS)})
            self._token_until = self._clock() + _TOKEN_SECONDS / 2
        return self._token

    def _ask(self, method: str, path: str, headers: Mapping[str, str]) -> str:
        request = urllib.request.Request(  # noqa: S310 - the address is the operator's
            f"{self._address}/latest/{path}", method=method, headers=dict(headers)
        )
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=self._timeout) as answer:
            text: bytes = answer.read(65_536)
        return text.decode()
